"""Tables keep to their schemas, and what does not is said in words."""

import numpy as np
import pandas as pd
import pytest

from audit import tables

SCHEMAS = [tables.MANIFEST, tables.MEASURES, tables.PAIRS, tables.SCORES, tables.FINDINGS]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_table_of_defaults_is_of_its_schema(schema, rows):
    table = tables.make(schema, ({} for _ in range(rows)))
    assert tables.problems(table, schema) == []
    assert list(table.columns) == list(schema)
    assert table.index.equals(pd.RangeIndex(rows))


def test_values_stay_what_they_are():
    rows = [{"image_id": text, "path": os_text} for text, os_text in [
        ("NA", "caf\udce9.png"), ("nan", "\udcff"), ("é", "")]]
    table = tables.make(tables.MANIFEST, rows)
    assert table["image_id"].tolist() == ["NA", "nan", "é"]
    assert table["path"].tolist() == ["caf\udce9.png", "\udcff", ""]
    assert table["given_label"].tolist() == ["", "", ""]


def test_a_name_outside_the_schema_is_refused():
    with pytest.raises(ValueError, match=r"\['colour'\] are not in the schema"):
        tables.make(tables.SCORES, [{"score": 1.0}, {"colour": "red"}])


@pytest.mark.parametrize(("change", "words"), [
    ({"score": None}, "column 'score' is missing"),
    ({"score": ["a", "b"]}, "column 'score' must be float"),
    ({"score": [1, 2]}, "column 'score' must be float. Got int64"),
    ({"is_issue": [0.0, 1.0]}, "column 'is_issue' must be bool. Got float64"),
])
def test_what_is_not_of_the_schema_is_named(change, words):
    table = tables.make(tables.SCORES, [{}, {}])
    [(name, values)] = change.items()
    table = table.drop(columns=name) if values is None else table.assign(**{name: values})
    [problem] = tables.problems(table, tables.SCORES)
    assert words in problem


@pytest.mark.parametrize("hole", [None, np.nan, 3])
def test_text_is_never_missing(hole):
    table = tables.make(tables.MANIFEST, [{}, {}])
    table["given_label"] = pd.Series(["cat", hole], dtype=object)
    assert tables.problems(table, tables.MANIFEST) == ["column 'given_label' must hold text only"]
