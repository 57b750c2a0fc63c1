import xml.etree.ElementTree as ET

from healer.cli.junit import report
from healer.model.mode import Mode
from healer.rehearsal.judge import Checked, Row
from healer.rehearsal.play import Played
from healer.rules.case import Case, Expectation
from healer.rules.rule import Position

HERE = Position(file="t.yaml", line=7, column=5)


def played(name, *because):
    expect = tuple(Expectation(at=30.0, rule="r", position=HERE) for _ in because)
    case = Case(
        name=name, interval=1.0, default_mode=Mode.AUTO, maintenance=False, outcome="done", targets=(), lines=(),
        expect=expect, position=HERE,
    )  # fmt: skip
    checked = tuple(
        Checked(
            case=name, rule="r", target="", at=30.0, position=HERE, because=one,
            rows=(Row(what="state", expected="firing", found="inactive", ok=not one),),
        )
        for one in because
    )  # fmt: skip
    return Played(case=case, checked=checked, story=())


def test_it_is_what_readers_of_junit_expect():
    text = report([("a.yaml", [played("good", ""), played("bad", "found x", "found y", "")]), ("b.yaml", [])])
    root = ET.fromstring(text)  # written by us
    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "1", "0")
    first, second = root
    assert first.attrib == {"name": "a.yaml", "tests": "2", "failures": "1", "errors": "0", "skipped": "0"}
    assert (second.get("tests"), len(second)) == ("0", 0)
    good, bad = first
    assert good.attrib == {"classname": "a.yaml", "name": "good", "time": "30.000", "file": "a.yaml", "line": "7"}
    assert len(good) == 0
    (failure,) = bad  # readers take the first failure of a case, so there is one with everything in it
    assert failure.get("message") == "r: found x"
    assert failure.get("type") == "expectation"
    assert failure.text.splitlines() == ["t.yaml:7:5: r  at 30 s: state: expected firing, found inactive"] * 2


def test_nothing_that_a_name_holds_breaks_it():
    name = 'a "b" & <c> \x00\x1b]0;x\ufffe\ud800 ż ]]>'
    (suite,) = ET.fromstring(report([(name, [played(name, name)])]))
    assert suite.get("name") == 'a "b" & <c> ??]0;x?? ż ]]>'
    assert suite[0][0].get("message") == f"r: {suite.get('name')}"
