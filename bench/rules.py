"""10 000 rules of three comparisons over 5 000 metrics: everything at once, and when 1 % of the metrics changed.

Prints one JSON object; times are milliseconds, the median of the runs. `floor` is the same rules as plain two-valued
closures over a dict (no UNKNOWN, no ages, no detection of changes); `simpleeval` is a peer, when it is installed.
"""

import gc
import json
import operator
import random
import statistics
import time
from collections.abc import Callable

from bench.figures import at_most
from healer.model.observation import Observation
from healer.model.unit import Unit
from healer.rules.evaluate import Evaluator
from healer.rules.expression import parse

RULES, METRICS, RUNS = 10_000, 5_000, 31
TARGETS = {"full_ms": 8.0, "changed_1_percent_ms": 0.5}
OPS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le
}  # fmt: skip
CHANGED = METRICS // 100
Test = tuple[str, str, float]
Floor = tuple[Callable[[], object], Callable[[], object]]


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def make(chance: random.Random) -> list[tuple[Test, Test, Test, str, str]]:
    names = [f"m{index}" for index in range(METRICS)]

    def test() -> Test:
        return chance.choice(names), chance.choice(list(OPS)), round(chance.random(), 3)

    return [(test(), test(), test(), *chance.choices(["and", "or"], k=2)) for _ in range(RULES)]


def text(rule: tuple[Test, Test, Test, str, str]) -> str:
    a, b, c, one, two = rule
    first, second, third = (f"{name} {op} {limit}" for name, op, limit in (a, b, c))
    return f"({first} {one} {second}) {two} {third}"


def closure(rule: tuple[Test, Test, Test, str, str]) -> Callable[[dict[str, float]], bool]:
    (m1, o1, l1), (m2, o2, l2), (m3, o3, l3), one, two = rule
    f1, f2, f3 = OPS[o1], OPS[o2], OPS[o3]
    if (one, two) == ("and", "and"):
        return lambda v: f1(v[m1], l1) and f2(v[m2], l2) and f3(v[m3], l3)
    if (one, two) == ("and", "or"):
        return lambda v: (f1(v[m1], l1) and f2(v[m2], l2)) or f3(v[m3], l3)
    if (one, two) == ("or", "and"):
        return lambda v: (f1(v[m1], l1) or f2(v[m2], l2)) and f3(v[m3], l3)
    return lambda v: f1(v[m1], l1) or f2(v[m2], l2) or f3(v[m3], l3)


def floor(rules: list[tuple[Test, Test, Test, str, str]], chance: random.Random) -> Floor:
    functions = [closure(rule) for rule in rules]
    values = {f"m{index}": chance.random() for index in range(METRICS)}
    users: dict[str, list[Callable[[dict[str, float]], bool]]] = {}
    for rule, function in zip(rules, functions, strict=True):
        for name in {test[0] for test in rule[:3]}:
            users.setdefault(name, []).append(function)

    def some() -> None:
        for index in range(CHANGED):
            for function in users.get(f"m{index}", ()):
                function(values)

    return lambda: [function(values) for function in functions], some


def ours(
    rules: list[tuple[Test, Test, Test, str, str]], chance: random.Random, bare: Floor
) -> tuple[dict[str, float], dict[str, float]]:
    vocabulary = {f"m{index}": Unit.NUMBER for index in range(METRICS)}
    evaluator = Evaluator(vocabulary, baseline=False)
    start = time.perf_counter()
    for index, rule in enumerate(rules):
        evaluator.add(f"r{index}", parse(text(rule), vocabulary=vocabulary))
    load = time.perf_counter() - start
    now = 1000.0

    def observe(count: int) -> None:
        for index in chance.sample(range(METRICS), count):
            evaluator.observe(Observation(metric=f"m{index}", value=chance.random(), unit=Unit.NUMBER, at=now))

    def readings(count: int) -> list[Observation]:
        return [
            Observation(metric=f"m{index}", value=chance.random(), unit=Unit.NUMBER, at=now)
            for index in chance.sample(range(METRICS), count)
        ]

    observe(METRICS)
    first = timed(lambda: evaluator.evaluate(now))
    full, some, seen_full, seen_some, one, bare_full, bare_some = [], [], [], [], [], [], []
    # Small steps of time: a value that nobody looked at for max_age would turn unknown, and be measured too.
    # The floor takes turns with us: on a busy machine both are slowed alike.
    for count, step, seen, took, under, floored in (
        (METRICS, 1.0, seen_full, full, bare[0], bare_full),
        (CHANGED, 0.1, seen_some, some, bare[1], bare_some),
    ):
        for _ in range(RUNS):
            now += step
            batch = readings(count)
            seen.append(timed(lambda batch=batch: [evaluator.observe(reading) for reading in batch]))
            took.append(timed(lambda now=now: evaluator.evaluate(now)))
            floored.append(timed(under))
    for _ in range(RUNS):
        now += 0.01
        batch = readings(1)
        one.append(timed(lambda batch=batch, now=now: [evaluator.observe(batch[0]), evaluator.evaluate(now)]))
    return {
        "load_ms": load * 1e3,
        "first_ms": first,
        "full_ms": statistics.median(full),
        "changed_1_percent_ms": statistics.median(some),
        "observe_all_ms": statistics.median(seen_full),
        "observe_1_percent_ms": statistics.median(seen_some),
        "one_reading_to_truth_us": statistics.median(one) * 1e3,
    }, {"full_ms": statistics.median(bare_full), "changed_1_percent_ms": statistics.median(bare_some)}


def simpleeval(rules: list[tuple[Test, Test, Test, str, str]], chance: random.Random) -> dict[str, float] | None:
    try:
        from simpleeval import SimpleEval
    except ImportError:
        return None
    values = {f"m{index}": chance.random() for index in range(METRICS)}
    peer = SimpleEval(names=values)
    parsed = [(text(rule), peer.parse(text(rule))) for rule in rules]
    full = [timed(lambda: [peer.eval(said, tree) for said, tree in parsed]) for _ in range(5)]
    return {"full_ms": statistics.median(full)}


def main() -> None:
    chance = random.Random(7)
    rules = make(chance)
    gc.disable()
    own, bare = ours(rules, chance, floor(rules, chance))
    print(
        json.dumps(
            {
                "what": f"{RULES} rules of three comparisons over {METRICS} metrics, ms, medians",
                **{name: at_most(own[name], limit, bare[name]) for name, limit in TARGETS.items()},
                "more": {name: round(value, 3) for name, value in own.items() if name not in TARGETS},
                "simpleeval": simpleeval(rules, chance) or "not installed",
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
