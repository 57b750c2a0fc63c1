import json


def test_one_seed_is_repeated_and_told_as_one_object(healer):
    said = healer("simulate", "--seed", "1", "--json", state=False)
    assert said.code in {0, 1}
    assert isinstance(json.loads(said.out), dict)


def test_seeds_are_counted_from_one(healer):
    assert healer("simulate", "--seeds", "0").code == 2
    assert healer("simulate", "--seed", "-1").code == 2
