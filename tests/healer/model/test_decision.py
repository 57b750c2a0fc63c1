import pytest

from healer.errors import HealerError
from healer.model.decision import QUIET_VERBS, Decision, Result, SealedIntent
from healer.model.mode import Mode
from healer.model.verbs import VERBS


def decision():
    return Decision(
        id="i-1", incident="r@t", rule="r", rules_hash="h", step=0, attempt=1, action="restart", target="t", params={},
        timeout=30.0, deadline=10.0, generation="", because="", evidence=(), actor="rule:r", mode=Mode.AUTO, priority=4,
        decided_at=0.0,
    )  # fmt: skip


def test_a_sealed_intent_is_spent_once():
    intent = SealedIntent(decision=decision(), leaf="ab", seq=7, sealed_at=1.0)
    assert intent.take() == decision()
    with pytest.raises(HealerError, match="i-1 was already spent"):
        intent.take()


def test_quiet_verbs_exist_and_disturb_nothing():
    assert set(VERBS) > QUIET_VERBS
    assert not [verb for verb in QUIET_VERBS if VERBS[verb].disruptive]


def test_done_is_no_verdict():
    assert {result.value for result in Result} >= {"done", "verified", "unverified", "ambiguous", "interrupted"}
    assert Result.DONE is not Result.VERIFIED
