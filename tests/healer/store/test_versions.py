import pytest

from healer.errors import HealerError
from healer.store.versions import parsed


def test_releases_are_compared_by_their_numbers():
    assert parsed("2.0.10") > parsed("2.0.2") > parsed("2.0") == parsed("v2.0.0")
    assert parsed("10.0") > parsed("9.9.9")
    assert parsed("0.2.0rc1") == parsed("0.2.0")


@pytest.mark.parametrize("text", ["", "two", "1..2", "1.2.3.4.5", "1.-2", "1e9", "٣.1", "9" * 99])
def test_what_is_no_release_is_refused(text):
    with pytest.raises(HealerError, match="no version"):
        parsed(text)
