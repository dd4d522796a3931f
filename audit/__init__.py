"""image-audit: why an image classification network is not learning, and what to fix first.

The stages of an audit, in the order in which data flows through them, are the sub-packages
`ingest`, `measures`, `representations`, `checks` and `render`. How they are put together
into something a person runs is the business of `pipelines`, which this package never imports.
"""

import os
from typing import Any

# NumPy and SciPy have an OpenBLAS each, whose threads go on turning for a while after a product
# (2^26 cycles of the processor, if not told otherwise), on the cores that the other one needs: of
# products and factors in turn that takes half the time. It is read when they are loaded.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")

__all__ = ["assert_dataset", "verify_blessing"]


def __getattr__(name: str) -> Any:
    """Look up what is asked for only then: every worker imports this package."""
    if name in __all__:
        from audit import gating  # noqa: PLC0415 - imports pyarrow

        return getattr(gating, name)
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 30 ms

    try:
        return version("image-audit")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"
