from itertools import pairwise

import pytest

from healer.config import load_config
from healer.rules.load import load
from healer.rules.loops import Graph
from healer.rules.review import findings

CONFIG = load_config(
    {"programs": [{"name": "api", "command": ["true"]}, {"name": "db", "command": ["true"]}]}, environ={}
)
PROVED = 'verify: {when: "harmony > 50"}'
EACH = "each: {kind: program}"


def loops(tmp_path, *rules):
    text = "version: 1\nrules:\n" + "".join(f"  - {{id: r{n}, {rule}}}\n" for n, rule in enumerate(rules))
    (tmp_path / "f.yaml").write_text(text)
    said = [(one.rule, one.what) for one in findings(load([tmp_path / "f.yaml"]), CONFIG)]
    return [(rule, what) for rule, what in said if "loop" in what or "itself" in what or "its own cure" in what]


def cure(verb, when, *, priority=4, where=EACH):
    return f"{where}, priority: {priority}, when: '{when}', then: [{{{verb}: {{}}, {PROVED}}}]"


DOWN = "program.up{target} == 0"


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ((cure("restart", "program.uptime{target} < 5m"),),
         "its own cure makes it true: it restarts program:api, which sets program.uptime to 0"),
        ((cure("restart", "program.uptime{target} < 5m and program.memory{target} > 1GiB"),), "its own cure"),
        ((cure("restart", "program.restarts{target} > 3"),), "counts program.restarts up"),
        ((cure("restart", "delta(program.restarts{target}, 10m) > 3"),), "counts program.restarts up"),
        ((cure("stop", DOWN),), "sets program.up to 0"),
        ((cure("stop", f"{DOWN} or harmony < 10"),), "sets program.up to 0"),
        ((cure("restart", DOWN), cure("stop", "delta(program.restarts{target}, 10m) > 3", priority=9)),
         ("a loop: r0 restarts program:api, which counts program.restarts up, which wakes r1; "
          "r1 stops program:api, which sets program.up to 0, which wakes it again")),
        ((cure("stop", "program.up{target} == 1 and harmony < 90"), cure("start", DOWN, priority=9)), "a loop: r0"),
        ((cure("stop", 'program.up{target="program:db"} == 1', where='target: "program:api"'),
          cure("restart", 'program.up{target="program:api"} == 0', where='target: "program:db"')), "a loop: r0 stops"),
        ((f"{EACH}, when: '{DOWN}', then: [{{trigger: r1}}]", f"trigger: manual, {cure('stop', 'harmony < 9')}"),
         ("a loop: r0 triggers r1, which wakes r1; "
          "r1 stops program:api, which sets program.up to 0, which wakes it again")),
    ],
)  # fmt: skip
def test_what_comes_back_is_found(tmp_path, rules, what):
    said = loops(tmp_path, *rules)
    assert len(said) == 1, said
    assert said[0][0] == "r0"
    assert what in said[0][1]


@pytest.mark.parametrize(
    "rules",
    [
        (cure("restart", DOWN),),
        (cure("restart", "program.uptime{target} > 5m"),),
        (cure("restart", "program.uptime{target} < 5m and program.up{target} == 0"),),  # after it, it is up
        (cure("stop", "program.uptime{target} < 5m"),),
        (cure("restart", "program.restarts{target} < 3 and program.up{target} == 0"),),
        # What somebody stopped on purpose stays stopped.
        (
            cure("restart", f"{DOWN} and program.wanted{{target}} == 1"),
            cure("stop", "delta(program.restarts{target}, 10m) > 3", priority=9),
        ),
        # Two targets that have nothing to do with each other.
        (
            cure("stop", "program.memory{target} > 1GiB", where='target: "program:api"'),
            cure("restart", DOWN, where='target: "program:db"'),
        ),
        ("when: harmony < 9, then: [{trigger: r1}]", "when: harmony < 8, trigger: manual, then: [{notify: journal}]"),
    ],
)
def test_what_ends_is_no_loop(tmp_path, rules):
    assert loops(tmp_path, *rules) == []


def test_a_long_chain_of_rules_is_walked_without_recursion():
    graph = Graph()
    for one, other in pairwise(str(number) for number in range(20_000)):
        graph.add(one, other, "wakes")
    assert max(len(knot) for knot in graph.knots()) == 1
    graph.add("19999", "0", "wakes")
    (knot,) = (knot for knot in graph.knots() if len(knot) > 1)
    assert len(knot) == 20_000
    assert len(graph.shortest("0", knot)) == 20_000
