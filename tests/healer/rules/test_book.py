"""What every series is now."""

import math

from healer.model.observation import Observation, Series, Unknown, labels
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules.book import Book
from healer.rules.evaluate import Evaluator
from healer.rules.expression import parse


def see(value, at, **marks):
    return Observation(metric="disk.used", labels=labels(**marks), value=value, unit=Unit.RATIO, at=at)


def test_a_book_without_readers_keeps_the_newest():
    book = Book(METRICS, forget_after=60.0, max_series=10)
    for at in (1.0, 2.0):
        book.observe(see(at / 10, at, mount="/"))
    assert book.latest(Series("disk.used", labels(mount="/"))) == (0.2, 2.0)


def test_the_next_deadline_is_never_told_too_late():
    evaluator = Evaluator(METRICS)
    evaluator.add("rule", parse("max(disk.used) > 1%", vocabulary=METRICS))
    for index in range(50):
        evaluator.observe(see(0.5, 1.0, mount=str(index)))
    for index in range(49):
        evaluator.observe(see(0.5, 60.0, mount=str(index)))
    evaluator.evaluate(60.0)
    due = evaluator.due()
    assert due is not None
    assert due <= 1.0 + METRICS["disk.used"].max_age
    for _ in range(100):
        due = evaluator.due()
    assert due == 1.0 + METRICS["disk.used"].max_age


def test_waking_at_every_deadline_ends():
    evaluator = Evaluator(METRICS, forget_after=60.0)
    evaluator.add("rule", parse("max(disk.used) > 1% or age(disk.used) > 30s", vocabulary=METRICS))
    evaluator.observe(see(0.5, 1.0, mount="/"))
    evaluator.observe(Unknown(metric="disk.used", labels=labels(mount="/a"), because="x", at=1.0))
    wakes, now = 0, 1.0
    evaluator.evaluate(now)
    while (due := evaluator.due()) is not None:
        assert due >= now
        now = due
        evaluator.evaluate(now)
        wakes += 1
        assert wakes < 50
    assert not math.isinf(now)


def test_the_samples_of_a_series_are_kept_only_while_a_window_needs_them():
    evaluator = Evaluator(METRICS)
    evaluator.add("rule", parse("avg_over(disk.used, 1m) > 1%", vocabulary=METRICS))
    evaluator.observe(see(0.5, 1.0))
    line = evaluator._lines[Series("disk.used", ())]
    assert line.ring is not None
    evaluator.remove("rule")
    evaluator.evaluate(2.0)
    assert line.ring is None


def test_places_in_the_table_are_used_again():
    evaluator = Evaluator(METRICS)
    sizes = set()
    for at in range(20):
        for index in range(10):
            text = f"max(disk.used) > {index}% and disk.used{{mount='{index}'}} > 1%"
            evaluator.add(f"r{index}", parse(text, vocabulary=METRICS))
        evaluator.observe(see(0.5, float(at), mount="0"))
        evaluator.evaluate(float(at))
        sizes.add(len(evaluator._table))
    assert len(sizes) == 1


def test_rearming_again_and_again_leaks_nothing():
    evaluator = Evaluator(METRICS)
    evaluator.add("rule", parse("disk.used > 1% and avg_over(disk.used, 1m) > 1%", vocabulary=METRICS))
    for at in range(100):
        evaluator.observe(see(0.5, float(at)))
        evaluator.evaluate(float(at))
        evaluator.rearm("rule", float(at))
    assert len(evaluator._slots) <= 2
    assert len(evaluator._table) <= 6
    assert len(evaluator._heap) < 20
