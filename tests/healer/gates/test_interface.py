from healer.gates.interface import Answer, Refusal


def test_an_answer_is_ok_when_nothing_is_refused():
    assert Answer(gate="mode", refusal=None).ok
    assert not Answer(gate="mode", refusal=Refusal(because="no")).ok
