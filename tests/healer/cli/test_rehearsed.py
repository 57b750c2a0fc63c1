from healer.cli import rehearsed
from healer.model.truth import Truth
from healer.rehearsal.coverage import Branch, Covered
from healer.rehearsal.judge import Checked, Row
from healer.rules.load import load
from healer.rules.rule import Position

HERE = Position(file="t.yaml", line=7, column=5)
ROWS = (
    Row(what="state", expected="firing", found="firing", ok=True),
    Row(what="action", expected="restart, 2 times", found="restart", ok=False),
    Row(what="because", expected="x" * 60, found="y", ok=False),
)


def checked(rows=ROWS):
    return Checked(case="it", rule="r", target="program:a", at=30.0, position=HERE, rows=rows, because="state firing")


def test_a_failure_says_where_what_was_found_and_what_was_expected():
    assert list(rehearsed.failure(checked(ROWS[:2]), diff=False)) == [
        "t.yaml:7:5: it: r on program:a at 30 s: found state firing",
        "  expected action: restart, 2 times",
    ]


def test_the_difference_is_side_by_side_and_what_is_wide_has_its_own_line():
    head, *lines = rehearsed.failure(checked(), diff=True)
    assert head.endswith("found state firing")
    assert lines == [
        "    EXPECTED                                          FOUND",
        "  = state: firing                                     state: firing",
        "  ≠ action: restart, 2 times                          action: restart",
        f"  ≠ because: {'x' * 60}",
        f"    {' ' * 48}  because: y",
    ]


def covering(tmp_path, branches, claims=("fires", "leaves alone", "withholds")):
    (tmp_path / "r.yaml").write_text(
        "version: 1\nrules: [{id: a, when: cpu.used > 90%, then: [{notify: journal}]}]\n", encoding="utf-8"
    )
    (rule,) = load([tmp_path / "r.yaml"]).rules
    return Covered(rule=rule, claims=frozenset(claims), branches=branches)


def test_what_the_tests_left_out_is_told_at_its_rule(tmp_path):
    both = Branch(source="x", depth=0, seen=frozenset({Truth.TRUE, Truth.FALSE}))
    one = covering(tmp_path, (both, Branch(source="cpu.used > 90%", depth=1, seen=frozenset({Truth.TRUE}))), ("fires",))
    never = covering(tmp_path, ())
    said = [text.partition("r.yaml:")[2] or text for text in rehearsed.covered_lines([one, never])]
    assert said == [
        "2:9: a: no test leaves alone, withholds it",
        "2:9: a: never false in a test: cpu.used > 90%",
        "2:9: a: its condition was never known to be true or false in a test",
        "coverage 58.3 %: 2 rules, 1 of them in every respect",
    ]
    assert not rehearsed.enough([one], None)
    assert rehearsed.enough([never], None)
    assert (rehearsed.enough([one], 57), rehearsed.enough([one], 58)) == (True, False)
