"""What the language says yes and no to, and where it points when it says no."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules.expression import (
    COMPARISONS,
    FUNCTIONS,
    STRUCTURED,
    ExpressionError,
    bind,
    is_condition,
    is_number,
    mentions_target,
    parse,
    selectors,
    structured,
    unparse,
)
from healer.rules.syntax import Compare, Number, Select
from healer.rules.tokens import SCALE

OWN = {"queue.depth": Unit.NUMBER, "jobs.done": Unit.COUNT}


def read(text, **options):
    return parse(text, vocabulary=METRICS, **options)


def refused(text):
    with pytest.raises(ExpressionError) as caught:
        read(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("http.ok{target} == 0", "http.ok{target} == 0"),
        ("not cpu.psi.some10 > 60%", "not (cpu.psi.some10 > 60%)"),
        ("cpu.used > 1% or cpu.used > 2% and cpu.used > 3%", "cpu.used > 1% or (cpu.used > 2% and cpu.used > 3%)"),
        ("not cpu.used > 1% and cpu.used > 2%", "(not cpu.used > 1%) and cpu.used > 2%"),
        ("cpu.used > 1% xor cpu.used > 2% or cpu.used > 3%", "(cpu.used > 1% xor cpu.used > 2%) or cpu.used > 3%"),
        ("harmony > 1 + 2 * 3", "harmony > 1 + (2 * 3)"),
        ("harmony > 8 - 2 - 1", "harmony > (8 - 2) - 1"),
        ("harmony > -1 * 2", "harmony > (-1) * 2"),
        ('stomach.health == "failed"', 'organ.health{organ="stomach"} == "failed"'),
        ("heart.score < 50", 'organ.score{organ="heart"} < 50'),
        ('state{target} == "running"', 'target.state{target} == "running"'),
        ('state("program:api") == "running"', 'target.state{target="program:api"} == "running"'),
        ('rule("a") == "firing"', 'rule.state{rule="a",target} == "firing"'),
        ("http.latency > 1h30m", "http.latency > 5400s"),
        ("http.latency > 200ms", "http.latency > 0.2s"),
        ("disk.used{mount='/'} > 90%", 'disk.used{mount="/"} > 90%'),
        ("self.memory > 1.5GiB", "self.memory > 1610612736B"),
    ],
)
def test_two_ways_to_write_the_same(text, same):
    assert read(text) == read(same)


@pytest.mark.parametrize(
    "text",
    [
        "avg_over(cpu.psi.some10, 5m) > 80% and (harmony < 70 or stomach.health != 'failed')",
        'max(disk.used{mount=~"/srv*",mount!="/srv/old"}) > 90%',
        "p95(p95_over(http.latency, 1h30m)) > 200ms",
        "at_least(2, http.ok{target} == 1, harmony < 7, harmony > 9)",
        "weighted(0.7, http.ok{target} == 1, 0.4, harmony < 7, 0.3)",
        "not (cpu.used > 1% xor (cpu.used > 2% xor cpu.used > 3%))",
        "(cpu.used > 1% and cpu.used > 2%) and cpu.used > 3%",
        "(1 + 2) * (3 - (4 - 5)) / 2 > -harmony",
        "abs(clock.offset_jump) > 2s and age(http.ok{target}) > 5m",
        'file.checksum{target} contains "a\\"b\\\\c" or file.owner{target} matches "ro?t*"',
        "memory.total - 5GiB > self.memory * 2",
        "rate(program.restarts{target}, 10m) > 0.1 and changes(file.checksum{target}, 1d) > 0",
    ],
)
def test_what_is_written_back_reads_the_same(text):
    assert read(unparse(read(text))) == read(text)


@pytest.mark.parametrize(
    ("text", "offset", "words"),
    [
        ("self.memory > 5", 14, ["missing unit", "5MiB"]),
        ("http.latency > 5", 15, ["missing unit", "5s"]),
        ("5 < self.memory", 0, ["missing unit"]),
        ("self.memory + 5 > 1GiB", 14, ["missing unit"]),
        ("net.rx_rate > 1000", 14, ["missing unit", "MiB"]),
        ("cpu.used > 80", 11, ["80%"]),
        ("harmony > 80%", 8, ["without %"]),
        ("cpu.used > 5m", 9, ["a ratio", "seconds"]),
        ("self.memory > http.latency{target}", 12, ["bytes", "seconds"]),
        ("self.memory + http.latency > 1GiB", 12, ["means nothing"]),
        ("http.ok{target} == 2", 19, ["0 or 1"]),
        ("a.b < c.d < e.f", 0, ["unknown metric"]),
        ("1 < harmony < 3", 12, ["a < b and b < c"]),
        ("harmony = 3", 8, ["=="]),
        ("harmony > 3 && harmony < 5", 12, ["and"]),
        ("harmony > 3 AND harmony < 5", 12, ["write and"]),
        ("!(harmony > 3)", 0, ["not"]),
        ("dsk.used > 1%", 0, ["disk.used"]),
        ("forcast(disk.used, 4h) > 1%", 0, ["forecast", "at_least", "rate"]),
        ("avg_ovr(cpu.used, 5m) > 1%", 0, ["avg_over"]),
        ("avg_over(cpu.used) > 1%", 17, ["window"]),
        ("avg_over(cpu.used, 5) > 1%", 19, ["5m"]),
        ("avg_over(cpu.used, 2d) > 1%", 19, ["1d"]),
        ("avg_over(cpu.used, 0s) > 1%", 19, ["longer than 0"]),
        ("avg_over(cpu.used + 1%, 5m) > 1%", 18, [")"]),
        ("avg(file.owner) > 1", 4, ["numeric"]),
        ('file.owner > "root"', 11, ["order"]),
        ("file.owner == 5", 14, ["quotes"]),
        ('harmony == "good"', 0, ["word"]),
        ('harmony matches "a*"', 0, ["word"]),
        ('container.state{target} == "runing"', 27, ["running"]),
        ('disk.used{mout="/"} > 1%', 0, ["mount"]),
        ("disk.used{mount} > 1%", 10, ["="]),
        ("disk.used{mount=/} > 1%", 16, ["quotes"]),
        ('disk.used{mount="/" > 1%', 20, [","]),
        ("cpu.used > 1% xor cpu.used > 2% xor cpu.used > 3%", 32, ["exactly"]),
        ("(cpu.used > 1%) + 2 > 1", 10, ["numbers"]),
        ("cpu.used and harmony > 2", 0, ["no condition"]),
        ("exactly(3, harmony > 1)", 0, ["exactly"]),
        ("weighted(0.9, harmony > 1, 0.4)", 0, ["never"]),
        ("harmony > 1e999", 10, ["large"]),
        ("self.memory > 5mib", 15, ["MiB"]),
        ("self.memory > 5parsecs", 15, ["KiB"]),
        ("http.latency > 1h30", 17, ["unit"]),
        ('file.owner == "root', 14, ["closed"]),
        ("harmony > 1 harmony", 12, ["unexpected"]),
        ("harmony >", 9, ["the end"]),
        ("", 0, ["the end"]),
        ("max(1, 2) > 1", 4, ["series"]),
        ("rule(5) == 'x'", 5, ["quotes"]),
        ("harmony > [1]", 10, ["unexpected"]),
        ("harmony > ٣", 10, ["unexpected"]),
        ("harmony is 1", 8, ["write =="]),
        ("harmony > 1 for 5m", 12, ["for: 5m"]),
        ("harmony 1", 8, ["== is missing"]),
        ("harmony > 1 harmony", 12, ["join", "and"]),
        ("http.ok{target=http:front} == 0", 19, ['quote the value: {target="http:front"}']),
        ("http.ok:front == 0", 7, ["quotes"]),
        ('(file.owner = "root")', 12, ["did you mean ==?"]),
        ("self.memory > 600M", 17, ["MB or MiB"]),
        ("self.memory > 6k", 15, ["kB or KiB"]),
    ],
)  # fmt: skip
def test_a_mistake_is_pointed_at_with_a_hint(text, offset, words):
    error = refused(text)
    assert error.offset == offset, str(error)
    assert all(word in str(error) for word in words), str(error)


def test_zero_needs_no_unit():
    assert is_condition(read("swap.in_rate > 0 and http.latency{target} > 0"))


def test_a_bare_number_goes_with_a_plain_number():
    assert is_condition(parse("queue.depth > 5 and queue.depth > 80%", vocabulary=OWN))


def test_percent_is_the_float_that_was_meant():
    compare = read("cpu.used > 80%")
    assert isinstance(compare, Compare)
    assert compare.right == Number(value=0.8, unit=Unit.RATIO)


HOSTILE = ["(" * 40 + "1", "(" * 3000, "not " * 900 + "harmony > 1", "-" * 100 + "1 > 0", "abs(" * 60 + "1"]
HOSTILE += ["harmony > " + "1+" * 50 + "1", "at_least(1, " * 40, "x" * 5000, "{" * 4000, '"' * 4001]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_nesting_ends_in_an_error(text):
    refused(text)


@given(st.text(max_size=200) | st.text(alphabet="()notadrx .\"'{}=<>!~*+-/,%0189smhKiB_\\", max_size=120))
@example("1" * 400)
@example("harmony > 1\x00")
def test_no_text_raises_anything_but_an_expression_error(text):
    offset, expr = 0, None
    try:
        expr = read(text, lenient=True)
    except ExpressionError as error:
        offset = error.offset
    assert 0 <= offset <= len(text)
    assert expr is None or read(unparse(expr), lenient=True) == expr


def test_bind_puts_the_target_in_every_place():
    bound = bind(
        read('http.ok{target} == 0 and avg(rate(jobs.x{target}, 1m)) > 1 and rule("a") == "firing"', lenient=True),
        "http:front",
    )
    assert not mentions_target(bound)
    assert all('target="http:front"' in unparse(select) for select in selectors(bound))


def test_what_mentions_the_target():
    assert mentions_target(read("not avg_over(http.latency{target}, 5m) > 1s"))
    assert not mentions_target(read('http.ok{target="http:front"} == 0'))


def test_selectors_come_once_and_in_order():
    found = selectors(read("cpu.used > 1% and (harmony > 1 or cpu.used > 2%)"))
    assert [select.metric for select in found] == ["cpu.used", "harmony"]


def test_lenient_takes_what_nobody_declared():
    assert read("my.own > 5 and my.words == 'x'", lenient=True)
    assert isinstance(read("my.own", lenient=True), Select)


def test_numbers_and_conditions_are_told_apart():
    assert is_number(read("cpu.used"))
    assert not is_condition(read("cpu.used"))
    assert is_condition(read("cpu.used > 1%"))
    assert not is_number(read("program.state{target}"))


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"organ": "heart", "vital": "load", "op": ">", "value": "85%"}, "heart.load > 85%"),
        ({"organ": "heart", "vital": "load", "op": "greaterOrEqual", "value": 0.85}, "heart.load >= 0.85"),
        ({"organ": "stomach", "vital": "health", "op": "equals", "value": "failed"}, "stomach.health == 'failed'"),
        ({"organ": "stomach", "vital": "health", "op": "matches", "value": "f*"}, "stomach.health matches 'f*'"),
        ({"organ": "lungs", "vital": "latency", "op": "lessThan", "value": "200ms"}, "lungs.latency < 200ms"),
    ],
)
def test_the_structured_form_is_the_same_tree(form, text):
    assert structured(vocabulary=METRICS, **form) == read(text)


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"organ": "hart", "vital": "load", "op": ">", "value": 1}, "heart"),
        ({"organ": "heart", "vital": "load", "op": "greaterthan", "value": 1}, "greaterThan"),
        ({"organ": "heart", "vital": "load + 1", "op": ">", "value": 1}, "name of a vital"),
        ({"organ": "heart", "vital": "load", "op": ">", "value": "harmony"}, "not a number"),
        ({"organ": "stomach", "vital": "health", "op": "equals", "value": "faild"}, "failed"),
    ],
)
def test_the_structured_form_refuses_with_a_hint(form, word):
    with pytest.raises(ExpressionError, match=word):
        structured(vocabulary=METRICS, **form)


PAGE = (Path(__file__).parents[3] / "docs" / "expressions.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", PAGE.split("```text\n")[1].split("```")[0].splitlines())
def test_every_example_of_the_page_reads(text):
    assert is_condition(read(text))


@pytest.mark.parametrize("name", [*FUNCTIONS, *COMPARISONS, *SCALE, *STRUCTURED])
def test_the_page_names_everything_there_is(name):
    assert re.search(rf"(?<![A-Za-z_]){re.escape(name)}(?![A-Za-z])", PAGE)
