import json
from pathlib import Path

import pytest

from healer.model.verbs import VERBS
from healer.model.vocabulary import METRICS
from healer.rehearsal.play import run_suite
from healer.rules import fields, schema
from healer.rules.load import load
from healer.rules.suite import load_suite

PAGE = Path(__file__).resolve().parents[3] / "docs" / "rules.md"
TESTS_PAGE = PAGE.with_name("testing-rules.md")


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
    assert schema.main_page(page) == page, "run: make pages"


def test_the_page_on_tests_is_in_step():
    page = TESTS_PAGE.read_text(encoding="utf-8")
    assert schema.suite_page(page) == page, "run: make pages"


def test_the_pages_are_brought_up_to_date_where_they_lie(tmp_path):
    for path in (PAGE, TESTS_PAGE):
        head = path.read_text(encoding="utf-8").partition(schema.MARK)[0]
        (tmp_path / path.name).write_text(f"{head}{schema.MARK}\n\nold\n", encoding="utf-8")
    schema.pages(tmp_path)
    for path in (PAGE, TESTS_PAGE):
        assert (tmp_path / path.name).read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


def test_the_first_test_on_the_page_passes(tmp_path):
    page = TESTS_PAGE.read_text(encoding="utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "program.yaml").write_bytes((PAGE.parents[1] / "rules" / "program.yaml").read_bytes())
    first, cure, happens, *_ = (part.split("```")[0] for part in page.split("```yaml\n")[1:])
    path = tmp_path / "tests" / "t.yaml"
    path.write_text(first, encoding="utf-8")
    (played,) = run_suite(load_suite(path))
    assert [one.because for one in played.checked] == ["", "", ""]
    path.write_text(first.replace("    expect:\n", f"{cure}{happens}    expect:\n"), encoding="utf-8")
    (case,) = load_suite(path).cases
    assert (len(case.cures), len(case.happens)) == (2, 6)


def test_the_rule_on_the_page_loads(tmp_path):
    page = PAGE.read_text(encoding="utf-8")
    (tmp_path / "f.yaml").write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert load([tmp_path / "f.yaml"]).rules[0].id == "front-stops-answering"
