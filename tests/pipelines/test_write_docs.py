"""The pages of the checks and the README's table are those of the checks as they are."""

from pathlib import Path

from audit.registry import all_checks
from pipelines.write_docs import SCHEMA_FILE, check_page, readme_with_table, schema_text

ROOT = Path(__file__).parents[2]


def test_each_check_has_its_page_and_no_page_is_left_over():
    pages = {path.stem: path.read_text() for path in (ROOT / "docs" / "checks").glob("*.md")}
    assert pages == {one.meta.code: check_page(one) for one in all_checks()}, "run make docs"


def test_the_readme_lists_every_check():
    readme = (ROOT / "README.md").read_text()
    assert readme == readme_with_table(readme), "run make docs"
    assert all(f"docs/checks/{one.meta.code}.md" in readme for one in all_checks())


def test_the_schema_of_a_policy_is_that_of_the_code():
    assert (ROOT / SCHEMA_FILE).read_text() == schema_text(), "run make docs"
