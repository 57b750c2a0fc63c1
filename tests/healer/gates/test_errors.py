import pytest

from healer.gates import errors, order
from healer.model.limit import Brakes
from healer.model.memory import Errors

BRAKES = Brakes(errors_until_skipped=3, errors_retried_after=60.0)


@pytest.fixture
def failed(memory):
    """So many errors of restarting units, the last one ten seconds ago."""

    def set_(count, ago=10.0):
        memory.errors["restart unit"] = Errors(count=count, changed=1000.0 - ago, because="no bus")

    return set_


def test_too_few_errors_skip_nothing(question, failed):
    assert errors.ask(question(brakes=BRAKES)) is None
    failed(2)
    assert errors.ask(question(brakes=BRAKES)) is None


def test_after_so_many_in_a_row_it_is_skipped_whatever_the_target(question, failed, target):
    failed(3)
    for name in ("unit:nginx", "unit:other"):
        refused = errors.ask(question(brakes=BRAKES, target=target(name)))
        assert refused.because == "skipped: restart of a unit failed 3 times in a row, last because no bus"
        assert refused.until == 1050.0
        assert "no bus" in refused.proposal


def test_other_verbs_and_other_kinds_go_on(question, failed, target):
    failed(9)
    assert errors.ask(question(brakes=BRAKES, action="start")) is None
    assert errors.ask(question(brakes=BRAKES, target=target("program:nginx"))) is None


def test_after_a_while_one_is_tried_and_only_one(question, failed, memory, intent):
    failed(3, ago=60.0)
    assert errors.ask(question(brakes=BRAKES)) is None
    memory.intents["i-7"] = intent("unit:other", id="i-7", action="restart")
    refused = errors.ask(question(brakes=BRAKES))
    assert "one more is being tried (i-7)" in refused.because
    assert errors.ask(question(brakes=BRAKES, intent="i-7")) is None
    memory.intents["i-7"].ended = 999.0
    assert errors.ask(question(brakes=BRAKES)) is None


def test_a_person_who_means_it_is_let_through_a_rule_is_not(question, failed):
    failed(3)
    assert errors.ask(question(brakes=BRAKES, rule="", spelled_out=True)) is None
    assert errors.ask(question(brakes=BRAKES, rule="")) is not None
    assert errors.ask(question(brakes=BRAKES, spelled_out=True)) is not None


@pytest.mark.parametrize("garbage", [7, Errors(count="many"), Errors(count=9, changed=None)])
def test_garbage_says_no(question, memory, garbage):
    memory.errors["restart unit"] = garbage
    answers = {one.gate: one for one in order.ask_all(question(brakes=BRAKES))}
    assert not answers["errors"].ok
