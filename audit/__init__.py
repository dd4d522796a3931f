"""image-audit: why an image classification network is not learning, and what to fix first.

The stages of an audit, in the order in which data flows through them, are the sub-packages
`ingest`, `measures`, `representations`, `checks` and `render`. How they are put together
into something a person runs is the business of `pipelines`, which this package never imports.
"""


from typing import Any

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
