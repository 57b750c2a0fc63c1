from healer.gates import active
from healer.model.active import Active


def test_outside_its_hours_a_rule_is_refused_and_inside_it_passes(question):
    asked = question()
    minute = asked.wall_us // 60_000_000 % 1440
    inside, outside = (minute, (minute + 1) % 1440), ((minute + 1) % 1440, (minute + 2) % 1440)
    assert active.ask(question(active=Active(hours=(inside,), tz="UTC"))) is None
    refused = active.ask(question(active=Active(hours=(outside,), tz="UTC")))
    assert "outside the hours" in refused.because
    assert refused.until is None


def test_what_has_no_hours_passes_at_any(question):
    assert active.ask(question()) is None
