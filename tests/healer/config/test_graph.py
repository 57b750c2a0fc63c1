import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.config import graph, load_config
from healer.errors import ConfigError
from healer.model.target import Target
from healer.yamldoc.mark import Mark, Problems


def told(*targets, also=()):
    problems = Problems()
    placed = [graph.Placed(target=target, mark=Mark(file="f", line=n, column=1)) for n, target in enumerate(targets, 1)]
    graph.check(placed, also, problems)
    return [str(one) for one in problems.found]


def one(name, *requires, groups=()):
    return Target(kind="tcp", name=name, organ="heart", requires=requires, groups=groups)


def test_what_is_required_must_be_declared():
    assert told(one("api", "tcp:database"), one("databse")) == [
        "f:1:1: tcp:api requires tcp:database, which is not declared (did you mean 'tcp:databse'?)"
    ]
    assert "not declared" in told(one("api", "group:web"))[0]
    assert told(one("api", "group:web"), one("web", groups=("web",))) == []


def test_a_target_that_could_not_be_read_is_not_called_missing():
    assert told(one("api", "tcp:db"), also=["tcp:db"]) == []
    assert told(one("api", "group:web"), also=["tcp:db"]) == []


def test_two_of_one_name_are_told():
    assert told(one("a"), one("a")) == ["f:2:1: the target tcp:a is declared twice (first at f:1:1)"]


@pytest.mark.parametrize(
    ("targets", "circle"),
    [
        ([one("a", "tcp:a")], "tcp:a -> tcp:a"),
        ([one("a", "tcp:b"), one("b", "tcp:c"), one("c", "tcp:b")], "tcp:b -> tcp:c -> tcp:b"),
        ([one("a", "group:web"), one("b", "tcp:a", groups=("web",))], "tcp:a -> tcp:b -> tcp:a"),
        ([one("a", "group:web", groups=("web",))], "tcp:a -> tcp:a"),
    ],
)
def test_circles_are_told_once(targets, circle):
    (only,) = told(*targets)
    assert f"a circle of requirements: {circle}" in only


def test_a_chain_of_thousands_is_no_circle_and_no_recursion():
    chain = [one(str(n), f"tcp:{n + 1}") for n in range(3000)] + [one("3000")]
    assert told(*chain) == []


@given(st.dictionaries(st.integers(0, 8), st.frozensets(st.integers(0, 8), max_size=4), max_size=9))
def test_a_circle_is_told_exactly_when_there_is_no_order(edges):
    edges = {node: {need for need in needs if need in edges} for node, needs in edges.items()}
    found = told(*[one(str(node), *(f"tcp:{need}" for need in sorted(needs))) for node, needs in edges.items()])
    left = dict(edges)
    while free := [node for node, needs in left.items() if not needs & set(left)]:
        for node in free:
            del left[node]
    assert bool(found) == bool(left)


def test_requirements_are_checked_beside_other_mistakes():
    with pytest.raises(ConfigError) as error:
        load_config(
            {
                "mode": "atuo",
                "targets": [
                    {"kind": "tcp", "name": "a", "port": 1, "requires": ["tcp:b"]},
                    {"kind": "tcp", "name": "a", "port": 1},
                    {"kind": "tcp", "name": "c", "port": "x", "requires": ["tcp:zzz"]},
                ],
            },
            environ={},
        )
    text = "\n".join(error.value.problems)
    assert "atuo" in text
    assert "declared twice" in text
    assert "requires tcp:b" in text
    assert "config.targets[2].port" in text


def test_a_requirement_has_its_own_place(tmp_path):
    (tmp_path / "f.yaml").write_text("version: 1\ntargets:\n  - {kind: tcp, name: a, port: 1, requires: ['tcp:b']}\n")
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "f.yaml", environ={})
    assert f"{tmp_path}/f.yaml:3:46: tcp:a requires tcp:b" in error.value.problems[0]
