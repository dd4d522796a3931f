"""image-audit: why an image classification network is not learning, and what to fix first.

The stages of an audit, in the order in which data flows through them, are the sub-packages
`ingest`, `measures`, `representations`, `checks` and `render`. How they are put together
into something a person runs is the business of `pipelines`, which this package never imports.
"""


def __getattr__(name: str) -> str:
    """Look up `__version__` when it is asked for: every worker imports this package."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - 30 ms

    try:
        return version("image-audit")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"
