import pytest

from healer.gates import mode
from healer.model.mode import Mode


@pytest.mark.parametrize("word", ["off", "observe", "suggest"])
def test_below_approve_it_is_only_shown_and_the_strictest_is_named(question, word):
    modes = (("organism", Mode.AUTO), ("target unit:nginx", Mode.parse(word)), ("rule r", Mode.APPROVE))
    refused = mode.ask(question(modes=modes))
    assert refused.because == f"mode is {word} (target unit:nginx): restart of unit:nginx is only shown"
    assert refused.until is None


@pytest.mark.parametrize("word", ["approve", "auto"])
def test_from_approve_up_it_passes(question, word):
    assert mode.ask(question(modes=(("organism", Mode.parse(word)),))) is None


def test_no_mode_at_all_is_auto(question):
    assert mode.ask(question(modes=())) is None


@pytest.mark.parametrize("lowest", list(Mode))
def test_order_of_modes_does_not_matter(question, lowest):
    for modes in ([lowest, Mode.AUTO], [Mode.AUTO, lowest]):
        named = tuple((f"m{number}", one) for number, one in enumerate(modes))
        assert (mode.ask(question(modes=named)) is None) is (lowest >= Mode.APPROVE)


@pytest.mark.parametrize(
    ("source", "proposal"),
    [
        ("rule r", "write mode: auto in rules/shop.yaml:3 and reload"),
        ("organism", "write mode: auto in organism.yaml and reload"),
        ("target http:front", "write mode: auto at target http:front in organism.yaml and reload"),
        ("organ heart", "write mode: auto at organ heart in organism.yaml and reload"),
        ("agent, lowered by command", "healer resume agent"),
        ("organ:heart, lowered by command", "healer resume organ:heart"),
        ("rule r, lowered", "healer resume rule:r"),
        ("profile economy: critical rules only", "raise its priority to critical, or wait until the host is calm"),
        ("profile maintenance", "end the profile maintenance (profile in organism.yaml, and reload)"),
    ],
)
def test_what_would_let_it_act_is_said_with_the_place(question, source, proposal):
    asked = question(modes=(("organism", Mode.AUTO), (source, Mode.OBSERVE)), written="rules/shop.yaml:3")
    assert mode.ask(asked).proposal == proposal


def test_all_that_holds_it_back_is_proposed_not_the_strictest_alone(question):
    asked = question(modes=(("organism", Mode.OBSERVE), ("rule r", Mode.SUGGEST)), written="r.yaml:3")
    assert mode.ask(asked).proposal == (
        "write mode: auto in organism.yaml and reload; and write mode: auto in r.yaml:3 and reload"
    )
