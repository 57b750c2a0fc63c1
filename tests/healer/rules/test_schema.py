import json
from pathlib import Path

import pytest

from healer.model.verbs import VERBS
from healer.model.vocabulary import METRICS
from healer.rules import fields, schema
from healer.rules.load import load

PAGE = Path(__file__).resolve().parents[3] / "docs" / "rules.md"


@pytest.mark.parametrize("made", [schema.rules_schema(), schema.suite_schema()])
def test_schemas_are_json_and_refer_to_nothing_that_is_missing(made):
    text = json.dumps(made)
    assert json.loads(text) == made
    assert "#/$defs/condition" not in text or "condition" in made["$defs"]


def test_the_schema_of_rules_knows_every_key():
    rule = schema.rules_schema()["properties"]["rules"]["items"]
    assert set(rule["properties"]) == {field.name for field in fields.rule_fields(METRICS, VERBS)}
    assert rule["additionalProperties"] is False


def test_the_page_on_rules_is_in_step():
    page = PAGE.read_text(encoding="utf-8")
    assert schema.main_page(page) == page, "run: healer.rules.schema.main_page over docs/rules.md"


def test_the_rule_on_the_page_loads(tmp_path):
    page = PAGE.read_text(encoding="utf-8")
    (tmp_path / "f.yaml").write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert load([tmp_path / "f.yaml"]).rules[0].id == "front-stops-answering"
