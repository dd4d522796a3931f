"""`audit cache`: what audits keep for the next one."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from audit.cache import Store, cache_bound, cache_folder
from audit.errors import UsageError
from pipelines.past import WORDS


def tell_cache(what: str) -> None:
    """Tell what is kept, or forget it.

    Raises:
        UsageError: `what` is neither `info` nor `clear`.
    """
    if what not in {"info", "clear"}:
        raise UsageError(f"audit cache takes info or clear. Got {what} instead.")
    console = Console()
    store = Store(cache_folder(), cache_bound())
    kept = store.kept()
    size = sum(one.bytes for one in kept)
    if store.problem:
        console.print(Text(store.problem), soft_wrap=True)
    if what == "clear":
        store.clear()
        console.print(Text(f"{size / 1024**2:,.1f} MiB were forgotten ({store.path})."),
                      soft_wrap=True)
        return
    console.print(Text(f"{store.path}: {size / 1024**2:,.1f} MiB of at most "
                       f"{cache_bound() / 1024**2:,.0f}."), soft_wrap=True)
    for one in kept:
        console.print(Text(f"  {one.entries:>9,}  {one.bytes / 1024**2:>9,.1f} MiB  "
                           f"{WORDS.get(one.kind, one.kind)}"), soft_wrap=True)
