"""image-audit: why an image classification network is not learning, and what to fix first.

The stages of an audit, in the order in which data flows through them, are the sub-packages
`ingest`, `measures`, `representations`, `checks` and `render`. How they are put together
into something a person runs is the business of `pipelines`, which this package never imports.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("image-audit")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
