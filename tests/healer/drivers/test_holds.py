"""What is in quarantine stays so after a restart of the agent; a damaged note holds nobody."""

import pytest

from healer.drivers.holds import Holds


def test_a_hold_outlives_the_agent_until_it_is_dropped(tmp_path):
    Holds(tmp_path).add("12.34")
    assert Holds(tmp_path).has("12.34")
    assert not Holds(tmp_path).has("12.35")
    again = Holds(tmp_path)
    again.drop("12.34")
    again.drop("1.1")
    assert not Holds(tmp_path).has("12.34")


@pytest.mark.parametrize("octets", [b"", b"{", b"\xff" * 100, b"{}", b"[1, null]", b"[" * 60_000])
def test_a_damaged_note_is_as_if_it_never_was(octets, tmp_path):
    (tmp_path / "holds").write_bytes(octets)
    holds = Holds(tmp_path)
    assert not holds.has("12.34")
    holds.add("12.34")
    assert Holds(tmp_path).has("12.34")


def test_the_note_is_bounded(tmp_path):
    holds = Holds(tmp_path)
    for number in range(1100):
        holds.add(f"{number}.1")
    assert not Holds(tmp_path).has("0.1")
    assert Holds(tmp_path).has("1099.1")


def test_a_folder_that_cannot_be_written_holds_in_memory(tmp_path):
    holds = Holds(tmp_path / "none")
    holds.add("12.34")
    assert holds.has("12.34")
