"""The JSON Schema of a policy takes what the gate takes, and refuses what it refuses."""

import json
import tomllib

import jsonschema
import pytest

from audit.errors import UsageError
from audit.gate.policy import default_text, read_policy
from audit.gate.schema import policy_schema
from audit.gate.waivers import today_in_utc

WAIVER = """
[[gate.waivers]]
id = "DATA-17"
check = "blurry"
class = "fog"
reason = "fog is blurry"
owner = "ada@example.org"
"""


def refusals(text):
    """What the schema says of a policy; days become texts, as editors see them."""
    content = json.loads(json.dumps(tomllib.loads(text), default=str))
    schema = policy_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    return list(validator.iter_errors(content))


def test_the_default_policy_holds():
    assert refusals(default_text()) == []


@pytest.mark.parametrize("text", [
    "[gate]", "[gate.checks.label]\nwarn_if = 'rate_low > 0.1'",
    "[gate.checks.label.class.'a b']\nerror_if = ['count >= 3', 'rate < 1e-3']",
    "[gate.checks.label]\nerror_if = ['metric.estimated_share_interval_90.low > 0.1']",
    "[gate.allow]\nskipped = ['label']\nempty_dataset = true",
    "[gate.class_size.class.fog]\nerror_below = 3", "[checks.dark]\nscore = 0.2\n[gate]",
    f"{WAIVER}expires = {today_in_utc()}"])
def test_what_the_gate_takes_the_schema_takes(tmp_path, text):
    path = tmp_path / "audit.toml"
    path.write_text(text)
    read_policy(path)
    assert refusals(text) == []


@pytest.mark.parametrize("text", [
    "", "[gate]\nversion = 2", "[gate]\nconfidence = 2", "[gate]\nconfidense = 0.9", "[gates]",
    "[gate.checks.lable]", "[gate.checks.label]\nwarn_if = 'rate > many'",
    "[gate.checks.label]\nwarn_if = [3]", "[gate.checks.label.each_class]\nwarn = 'count > 1'",
    "[gate.allow]\nskipped = 'label'", "[gate.allow]\nempty_dataset = 1",
    "[gate.class_size]\nwarn_below = -1", WAIVER, f"{WAIVER}expires = 'soon'",
    f"{WAIVER}expires = {today_in_utc()}\nimages = []"])
def test_what_the_gate_refuses_the_schema_refuses(tmp_path, text):
    path = tmp_path / "audit.toml"
    path.write_text(text)
    with pytest.raises(UsageError):
        read_policy(path)
    assert refusals(text)
