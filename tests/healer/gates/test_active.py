from healer.gates import active
from healer.model.active import Active


def test_outside_its_hours_a_rule_is_refused_and_inside_it_passes(question):
    asked = question()
    minute = asked.wall_us // 60_000_000 % 1440
    inside, outside = (minute, (minute + 1) % 1440), ((minute + 1) % 1440, (minute + 2) % 1440)
    assert active.ask(question(active=Active(hours=(inside,), tz="UTC"))) is None
    refused = active.ask(question(active=Active(hours=(outside,), tz="UTC")))
    assert "outside the hours" in refused.because
    assert 0 < refused.until - asked.now <= 60
    assert "they begin" in refused.because
    assert "UTC" in refused.because


def test_a_window_that_never_comes_is_asked_about_again_in_an_hour(question):
    asked = question(active=Active(years=((1999, 1999),), tz="UTC"))
    refused = active.ask(asked)
    assert refused.until == asked.now + 3600
    assert "do not come" in refused.because


def test_what_has_no_hours_passes_at_any(question):
    assert active.ask(question()) is None
