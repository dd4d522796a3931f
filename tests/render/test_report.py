"""The report in a real browser: opens offline, shows pictures, and runs nothing of the data's."""

import shutil

import pandas as pd
import pytest

EVIL = '<img src=x onerror="document.title=\'owned\'">'


@pytest.fixture(scope="module")
def evil_report(tmp_path_factory, digits_folder, audit_command):
    """A report on a folder whose class and file names are HTML and formulas."""
    base = tmp_path_factory.mktemp("evil")
    table = pd.read_csv(digits_folder / "pred_probs.csv")
    evil_class = EVIL.replace("/", "")
    names = {"zero": evil_class, "one": "=1+1", "two": "ünïcödé 数字"}
    for old, new in names.items():
        shutil.copytree(digits_folder / "photos" / old, base / "photos" / new)
    first = min((base / "photos" / "=1+1").iterdir())
    shutil.copy(first, base / "photos" / evil_class / "copy.png")
    (base / "photos" / "=1+1" / "=cmd.png").write_bytes(b"text")
    table["image_id"] = [f"{names[name.split('/')[0]]}/{name.split('/')[1]}"
                         for name in table["image_id"]]
    table = table.rename(columns=names)
    row = table[table["image_id"] == f"=1+1/{first.name}"].assign(
        image_id=f"{evil_class}/copy.png")
    pd.concat([table, row]).to_csv(base / "probs.csv", index=False)
    result = audit_command("run", base / "photos", "--out", base / "out", "--pred-probs",
                           base / "probs.csv")
    assert result.returncode == 0, result.stderr
    return base / "out"


def test_names_are_escaped_and_csv_is_safe(evil_report):
    html = (evil_report / "report.html").read_text()
    assert EVIL not in html
    assert "ünïcödé 数字" in html
    csv = pd.read_csv(evil_report / "images.csv", dtype=str, keep_default_na=False)
    assert not csv["image_id"].str.startswith("=").any()
    assert csv["image_id"].str.startswith("'=").any()
    assert "<script" not in html


def test_it_opens_offline_in_a_browser_and_fits_a_phone(chromium, evil_report):
    page = chromium.new_page(viewport={"width": 420, "height": 900})
    requests, errors = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((evil_report / "report.html").as_uri())
    page.wait_for_load_state("load")
    assert page.title() == "photos · image audit"
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert errors == []
    assert page.locator("figure.card img").count() >= 2
    page.evaluate("document.querySelectorAll('img').forEach(one => one.loading = 'eager')")
    page.wait_for_function("[...document.images].every(one => one.complete)")
    assert page.evaluate("[...document.images].every(one => one.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    first = page.locator("table.causes tbody tr").first.inner_text()
    assert "Wrong labels" in first
    assert "under two classes" in first
    page.locator("table.causes a").first.click()
    assert page.url.endswith("#wrong_labels")
