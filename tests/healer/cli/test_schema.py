import json
from pathlib import Path

import pytest

from healer.cli import schema

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("what", "key"), [("rules", "rules"), ("config", "targets"), ("tests", "tests")])
def test_schemas_are_json_schemas_of_what_they_say(healer, what, key):
    found = json.loads(healer("schema", what).out)
    assert key in found["properties"]


def test_another_is_wrong_usage(healer):
    assert healer("schema", "universe").code == 2


def test_all_of_them_are_written_into_a_folder_over_older_ones(healer, tmp_path):
    folder = tmp_path / "some" / "schemas"
    folder.mkdir(parents=True)
    (folder / "rules.json").write_text("old")
    assert healer("schema", "--write", str(folder)).code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "rules.json", "tests.json"]
    assert json.loads((folder / "rules.json").read_text()) == schema.of("rules")
    said = healer("schema", "--write", "/proc/none/such")
    assert said.code == 2
    assert "cannot write" in said.err


@pytest.mark.parametrize("what", schema.NAMES)
def test_those_that_ship_are_in_step(what):
    shipped = CHECKOUT / "rules" / "schemas" / f"{what}.json"
    assert shipped.read_text(encoding="utf-8") == schema.text(what), "run: make pages"


@pytest.mark.parametrize("pattern", ["organism.yaml", "rules/*.yaml", "rules/tests/*.yaml"])
def test_what_ships_names_the_schema_beside_it(pattern):
    for path in CHECKOUT.glob(pattern):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith(schema.MODELINE), path
        assert (path.parent / first.removeprefix(schema.MODELINE)).is_file(), path
