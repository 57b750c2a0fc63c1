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
