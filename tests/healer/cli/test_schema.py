import json

import pytest


@pytest.mark.parametrize(("what", "key"), [("rules", "rules"), ("config", "targets"), ("tests", "tests")])
def test_schemas_are_json_schemas_of_what_they_say(healer, what, key):
    found = json.loads(healer("schema", what).out)
    assert key in found["properties"]


def test_another_is_wrong_usage(healer):
    assert healer("schema", "universe").code == 2
