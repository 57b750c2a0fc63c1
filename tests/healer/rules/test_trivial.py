import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.vocabulary import METRICS
from healer.rules.expression import parse
from healer.rules.trivial import verdict


def of(text):
    return verdict(parse(text, vocabulary=METRICS))


@pytest.mark.parametrize(
    ("text", "decided"),
    [
        ("harmony > 100", False),
        ("harmony >= 0", True),
        ("harmony <= 100", True),
        ("cpu.used < 0", False),
        ("100 < harmony", False),
        ("1 > 2", False),
        ("2 != 1", True),
        ("2 >= 2", True),
        ("cpu.used > 90% and cpu.used < 80%", False),
        ("cpu.used >= 50% and cpu.used <= 50%", None),
        ("cpu.used > 50% and cpu.used <= 50%", False),
        ("cpu.used > 50% or cpu.used <= 50%", True),
        ("cpu.used > 50% or cpu.used < 50%", None),
        ("cpu.used < 60% or cpu.used > 50%", True),
        ("cpu.used < 50% or memory.available >= 50%", None),
        ("not cpu.used < 0", True),
        ("not harmony >= 0", False),
        ("not cpu.used < 50%", None),
        ("harmony >= 0 and harmony <= 100", True),
        ("harmony > 100 or harmony < 0", False),
        ("cpu.used > 90%", None),
        ('heart.health == "failed"', None),
        ("cpu.load_per_core > 5 or cpu.load_per_core < 10", True),
        ("cpu.load_per_core > 5 or cpu.load_per_core < 5", None),
        ("http.ok{target} == 1 and http.ok{target} == 0", False),
        ("cpu.used + memory.used > 5%", None),
        ("at_least(1, harmony > 100)", False),
        ("at_least(2, harmony > 90, harmony < 80, harmony > 100)", False),
        ("at_most(1, harmony > 90, harmony < 80)", True),
        ("exactly(1, harmony > 90, harmony <= 90)", True),
        ("harmony > 90 xor harmony > 90", False),
        ("http.ok{target} > 0 and http.ok{target} < 1", False),
        ("http.ok{target} != 0 and http.ok{target} != 1", False),
        ("http.ok{target} != 0 or http.ok{target} != 1", True),
        ('heart.health == "failed" and heart.health == "healthy"', False),
        ("avg_over(cpu.used, 5m) > 90% and avg_over(cpu.used, 5m) < 10%", False),
        ("avg_over(cpu.used, 5m) > 90% and avg_over(cpu.used, 1m) < 10%", None),
        ("age(cpu.used) < 0s", False),
        ("cpu.used > memory.used and not cpu.used > memory.used", False),
        ("1 > 2 or cpu.used > 5%", None),
    ],
)
def test_what_is_decided_before_anyone_looks_is_seen(text, decided):
    assert of(text) is decided


BOUND = st.tuples(st.sampled_from(("<", "<=", ">", ">=", "==")), st.integers(-10, 110))


@given(st.sampled_from(("and", "or")), st.lists(BOUND, min_size=1, max_size=4))
def test_a_verdict_is_what_every_value_says(word, bounds):
    decided = of(f" {word} ".join(f"harmony {op} {value}" for op, value in bounds))
    holds = {"<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__, "==": float.__eq__}
    every = all if word == "and" else any
    half_points = [step / 2 for step in range(201)]
    seen = {every(holds[op](at, float(value)) for op, value in bounds) for at in half_points}
    if decided is not None:
        assert seen == {decided}
    if len(seen) == 1 and word == "and":
        assert decided is not None
