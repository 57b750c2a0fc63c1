import pytest

from healer.config import load_config
from healer.rules import fights
from healer.rules.load import load
from healer.rules.review import findings

CONFIG = load_config(
    {"programs": [{"name": "api", "command": ["true"]}, {"name": "db", "command": ["true"]}]}, environ={}
)
PROVED = 'verify: {when: "harmony > 50"}'
SHADE = ("never gets its turn", "adds nothing")


def said(tmp_path, *rules):
    text = "version: 1\nrules:\n" + "".join(f"  - {{id: r{n}, {rule}}}\n" for n, rule in enumerate(rules))
    (tmp_path / "f.yaml").write_text(text)
    return [(one.rule, one.what) for one in findings(load([tmp_path / "f.yaml"]), CONFIG)]


def about(said, *words):
    return [rule for rule, what in said if any(word in what for word in words)]


def heal(when, verb="restart", *, where="each: {kind: program}", **more):
    extra = "".join(f"{key.rstrip('_')}: {value}, " for key, value in more.items())
    return f"{where}, {extra}when: '{when}', then: [{{{verb}: {{}}, {PROVED}}}]"


BIG, BIGGER = "program.memory{target} > 1GiB", "program.memory{target} > 2GiB"


@pytest.mark.parametrize(
    ("rules", "who", "what"),
    [
        ((heal(BIG), heal(BIGGER, "stop")), "r1", "never gets its turn"),
        ((heal(BIGGER, "stop"), heal(BIG, priority=5)), "r0", "never gets its turn"),
        ((heal(BIG), heal(BIGGER)), "r1", "adds nothing"),
        ((heal(BIG), heal(f"{BIG} and harmony < 50", "start")), "r1", "never gets its turn"),
        ((heal(BIG), heal('program.memory{target="program:db"} > 2GiB', "stop", where='target: "program:db"')),
         "r1", "never gets its turn"),
    ],
)  # fmt: skip
def test_a_rule_that_another_always_comes_before_is_shadowed(tmp_path, rules, who, what):
    found = said(tmp_path, *rules)
    assert about(found, *SHADE) == [who], found
    assert about(found, what) == [who]


@pytest.mark.parametrize(
    "rules",
    [
        (heal(BIG), heal(BIGGER, "stop", priority=5)),
        (heal(BIG, for_="5m"), heal(BIGGER, "stop")),
        (heal(BIG, samples="{bad: 3, of: 3}"), heal(BIGGER, "stop")),
        (heal(BIG, active="{days: mon}"), heal(BIGGER, "stop")),
        (heal(BIG), heal("program.fds{target} > 100", "stop")),
        (heal(BIG, where='target: "program:api"'), heal(BIGGER, "stop", where='target: "program:db"')),
        (heal(BIG), "each: {kind: program}, when: 'program.memory{target} > 2GiB', then: [{notify: journal}]"),
    ],
)
def test_a_rule_that_may_have_its_turn_is_not(tmp_path, rules):
    assert about(said(tmp_path, *rules), *SHADE) == []


def test_different_remedies_at_one_priority_overlap_unless_they_exclude_each_other(tmp_path):
    fds = "program.fds{target} > 100"
    assert about(said(tmp_path, heal(BIG), heal(fds, "stop")), "overlaps with r0") == ["r1"]
    apart = (heal(BIG), heal("program.memory{target} < 1MiB", "stop"))
    assert about(said(tmp_path, *apart), "overlaps") == []
    assert about(said(tmp_path, heal(BIG), heal(fds, "stop", priority=9)), "overlaps") == []
    elsewhere = "when: harmony < 5, then: [{stop: {}, target: 'program:api', verify: {when: harmony > 5}}]"
    assert about(said(tmp_path, heal(BIG), elsewhere), "overlaps with r0 on program:api") == ["r1"]


def test_what_one_stops_another_starts(tmp_path):
    stop = heal(BIG, "stop", priority=9)
    assert about(said(tmp_path, stop, heal("program.up{target} == 0", "start")), "r1 starts again") == ["r0"]
    wanted = heal("program.up{target} == 0 and program.wanted{target} == 1", "start")
    assert about(said(tmp_path, stop, wanted), "starts again") == []


def test_of_too_many_pairs_it_is_said_that_not_all_were_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(fights, "MOST_PAIRS", 3)
    monkeypatch.setattr(fights._Pairs.__init__, "__defaults__", (3, *fights._Pairs.__init__.__defaults__[1:]))
    rules = [heal(f"program.memory{{target}} > {n}GiB and harmony < {n}") for n in range(1, 9)]
    assert about(said(tmp_path, *rules), "not all were compared") == ["r0"]
