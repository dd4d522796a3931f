"""`make docs`: pages of docs/checks/ and the README's table, made from the checks' own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from audit.causes import CAUSES
from audit.gate.schema import policy_schema
from audit.registry import all_checks

if TYPE_CHECKING:
    from audit.registry import Check

TABLE_BEGIN = "<!-- checks: written by make docs -->"
SCHEMA_FILE = "docs/audit.schema.json"
TABLE_END = "<!-- /checks -->"


def check_page(check: Check) -> str:
    """The page of one check, Markdown."""
    meta = check.meta
    lines = [f"# {meta.title} (`{meta.code}`)", check.documentation, "",
             f"- **About**: one {meta.about}" if meta.about != "dataset"
             else "- **About**: the whole dataset",
             f"- **Evidence of**: {CAUSES[meta.cause].title.lower()}",
             f"- **Needs**: {', '.join(f'`{need}`' for need in meta.needs)}",
             f"- **Fix**: {meta.fix}"]
    lines += [f"- **Threshold `{name}`** = {threshold.value:g}: {threshold.meaning} "
              f"({threshold.source}). Set it in a `--config` file under `[checks.{meta.code}]`."
              for name, threshold in meta.thresholds.items()]
    return "\n".join(lines) + "\n"


def checks_table() -> str:
    """The table of checks, Markdown, by cause."""
    rows = [f"| [`{one.meta.code}`](docs/checks/{one.meta.code}.md) "
            f"| {one.documentation.partition(chr(10))[0]} | {_thresholds(one)} |"
            for cause in CAUSES for one in all_checks() if one.meta.cause == cause]
    return "\n".join([TABLE_BEGIN, "| check | finds | flags below / at |", "|---|---|---|",
                      *rows, TABLE_END])


def readme_with_table(readme: str) -> str:
    """The README's text with its table brought up to date."""
    before, _, rest = readme.partition(TABLE_BEGIN)
    return before + checks_table() + rest.partition(TABLE_END)[2]


def schema_text() -> str:
    """The JSON Schema of a policy."""
    return json.dumps(policy_schema(), indent=1) + "\n"


def write_docs(root: Path) -> None:
    """Write the pages and the table below the project's root."""
    pages = root / "docs" / "checks"
    pages.mkdir(parents=True, exist_ok=True)
    wanted = {f"{one.meta.code}.md": check_page(one) for one in all_checks()}
    for old in pages.glob("*.md"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (pages / name).write_text(text, encoding="utf-8")
    (root / SCHEMA_FILE).write_text(schema_text(), encoding="utf-8")
    readme = root / "README.md"
    readme.write_text(readme_with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")


def _thresholds(check: Check) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {threshold.value:g}"
                     for name, threshold in check.meta.thresholds.items())


if __name__ == "__main__":
    write_docs(Path(__file__).parent.parent)
