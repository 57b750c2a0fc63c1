"""What is not done, and what perhaps is; that each hand looks first whom it has before it is tried in test_redis."""

import pytest

from healer.actions.hands.redis_hand import not_done, perhaps
from healer.drivers.redis_wire import RedisError


@pytest.mark.parametrize(
    ("exc", "maybe", "transient"),
    [
        (RedisError("refused", fact=True), False, True),
        (RedisError("no reply", fact=True, sent=True), True, True),
        (RedisError("NOPERM", sent=True, code="NOPERM"), False, False),
        (RedisError("BUSY", fact=True, sent=True, code="BUSY"), False, True),
        (RedisError("WRONGPASS", code="WRONGPASS"), False, False),
        (RedisError("full", fact=True, code="ERR"), False, False),
    ],
)
def test_a_refusal_did_not_happen_and_silence_might_have(exc, maybe, transient):
    assert perhaps(exc) is maybe
    assert not_done(exc).transient is transient
