"""The verbs are complete and consistent as data."""

from healer.model.verbs import VERBS

SHAPES = {"string", "duration", "size", "count", "flag", "argv", "strings", "counts", "mapping", "word", "change"}


def test_every_short_form_names_a_parameter_of_its_verb():
    assert {name: verb.short for name, verb in VERBS.items() if verb.short and verb.short not in verb.params} == {}


def test_every_undo_is_a_verb_and_every_shape_is_known():
    for name, verb in VERBS.items():
        assert not verb.undo or verb.undo in VERBS, name
        for param in verb.params.values():
            assert param.shape in SHAPES, name
            assert bool(param.words) == (param.shape == "word"), name


def test_only_what_takes_the_target_away_is_disruptive():
    assert {name for name, verb in VERBS.items() if verb.disruptive} == {
        "restart", "stop", "failover", "quarantine", "repair",
    }  # fmt: skip
