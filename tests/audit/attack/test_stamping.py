"""The authority made for the demonstration is one that the verifier of time stamps believes."""

import pytest

from audit import timestamp, x509
from audit.attack.stamping import Authority
from audit.errors import Undated


def test_its_token_is_good_under_its_own_root_alone(world):
    authority, other = Authority(world.clock), Authority(world.clock)
    token, roots = authority.token(b"i" * 32), x509.from_pem(authority.pem)
    stamp = timestamp.check(token, b"i" * 32, roots)
    assert abs(stamp.time_us - world.clock.wall_us()) < 10_000_000
    with pytest.raises(Undated):
        timestamp.check(token, b"j" * 32, roots)
    with pytest.raises(Undated):
        timestamp.check(token, b"i" * 32, x509.from_pem(other.pem))
