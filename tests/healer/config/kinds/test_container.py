import pytest

from healer.config.kinds.catalog import OWN
from healer.config.targets import TARGET
from healer.model.verbs import VERBS
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad


def read(text, tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(text)
    problems = Problems()
    found = document.read(path, problems)
    try:
        return TARGET.read(found.root, problems), problems
    except Bad:
        return None, problems


def test_what_may_be_made_of_it_is_declared(tmp_path):
    said = """{kind: container, name: cache, reload: HUP, spare: [cache-2],
        bounds: {cpu: 2, memory: 1GiB}, quarantine: networks}"""
    spec = read(said, tmp_path)[0].spec
    assert spec["reload"] == "HUP"
    assert spec["spare"] == ("cache-2",)
    assert spec["bounds"] == {"cpu": 2, "memory": 2.0**30}
    assert spec["quarantine"] == "networks"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("spare: [cache]", "a spare that is there already"),
        ("spare: [cache-2, cache-2]", "a spare that is there already"),
        ("container: other, spare: [other]", "a spare that is there already"),
        ("reload: SIGHUP", "SIGHUP"),
        ("quarantine: remove", "remove"),
        ("bounds: {memory: 1kB}", "1kB"),
    ],
)
def test_what_cannot_be_is_told(tmp_path, keys, says):
    target, problems = read(f"{{kind: container, name: cache, {keys}}}", tmp_path)
    assert target is None or problems
    assert says in str(problems.error("x").problems)


def test_what_a_verb_needs_to_be_declared_is_a_key_that_can_be_written():
    for verb, declared in VERBS.items():
        for kind, key in declared.needs.items():
            if kind in OWN:
                assert key in {field.name for field in OWN[kind].fields}, f"{verb} of a {kind}"
