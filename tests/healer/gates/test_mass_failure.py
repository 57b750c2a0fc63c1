from healer.gates import mass_failure


def test_safe_mode_says_why_and_how_it_ends(question, memory):
    assert mass_failure.ask(question()) is None
    memory.safe_mode = "3 of 5 in web failed"
    refused = mass_failure.ask(question())
    assert refused.because == "safe mode: 3 of 5 in web failed (healer resume-healing ends it)"
    assert refused.until is None
