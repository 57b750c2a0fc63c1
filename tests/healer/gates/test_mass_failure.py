import dataclasses

from healer.gates import mass_failure


def test_safe_mode_says_why_and_how_it_ends(question, memory):
    assert mass_failure.ask(question()) is None
    memory.safe_mode = "3 of 5 in web failed"
    refused = mass_failure.ask(question())
    assert refused.because == "safe mode: 3 of 5 in web failed (healer resume-healing ends it)"
    assert refused.until is None


def test_where_the_logs_disk_is_full_only_what_frees_some_of_it_may_be_done(question, memory):
    memory.safe_mode = f"{mass_failure.LOG_FULL}: the log took nothing"
    asked = question()
    assert mass_failure.ask(dataclasses.replace(asked, action="clear_cache")) is None
    for action in ("restart", "quarantine", "no-such-verb"):
        assert mass_failure.ask(dataclasses.replace(asked, action=action)) is not None


def test_any_other_safe_mode_holds_for_everything(question, memory):
    memory.safe_mode = "3 of 5 in web failed"
    assert mass_failure.ask(dataclasses.replace(question(), action="clear_cache")) is not None
