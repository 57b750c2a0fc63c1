"""What could not be asked says whose fault that is, and whether what was asked may have arrived."""

from healer.drivers.interface import DriverError, LinkState
from healer.errors import HealerError


def test_nobody_is_blamed_unless_somebody_says_so():
    plain = DriverError("no answer")
    assert isinstance(plain, HealerError)
    assert (plain.fact, plain.sent) == (False, False)
    assert (DriverError("refused", fact=True, sent=True).fact, DriverError("x", sent=True).sent) == (True, True)


def test_states_are_words_people_read():
    assert [state.value for state in LinkState] == ["idle", "connecting", "connected", "lost", "closed"]
