import pytest

from healer.gates import approval
from healer.model.mode import Mode


def test_mode_approve_waits_for_a_person(question):
    refused = approval.ask(question(modes=(("organism", Mode.AUTO), ("target x", Mode.APPROVE))))
    assert refused.because == "restart of unit:nginx waits for an approval"
    assert refused.until is None


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.APPROVE])
def test_other_modes_are_for_another_gate(question, mode):
    assert approval.ask(question(modes=(("organism", mode),))) is None
