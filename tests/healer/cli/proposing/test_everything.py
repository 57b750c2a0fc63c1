from healer.cli.proposing import everything
from healer.cli.proposing.everything import MOST, chosen, lines, listening
from healer.cli.proposing.heard import Heard
from healer.cli.proposing.proposal import Proposal


def one(kind, name, **keys):
    return Proposal(kind=kind, name=name, organ="heart", because="x", keys=keys)


def test_each_thing_is_proposed_once_and_not_more_than_anybody_reads():
    assert len(chosen([one("unit", "a"), one("unit", "a"), one("tcp", "a")])) == 2
    assert len(chosen(one("unit", f"u{number}") for number in range(500))) == MOST


def test_what_is_required_and_was_not_found_is_not_required():
    found = chosen(
        [one("unit", "a"), one("tcp", "b", requires=["unit:a", "unit:z"]), one("tcp", "c", requires=["unit:z"])]
    )
    assert found[1].keys == {"requires": ["unit:a"]}
    assert found[2].keys == {}


def test_those_in_containers_are_the_containers_affair(tmp_path):
    inside = Heard(name="nginx", pid=1, address="::", port=80, container=True)
    assert list(listening([inside], tmp_path)) == []


def test_one_that_is_known_and_has_nothing_to_show_is_nothing(tmp_path):
    clustering = Heard(name="beam.smp", pid=1, address="::", port=25672, argv=("rabbit",))
    assert list(listening([clustering], tmp_path)) == []


def test_a_command_that_fails_says_nothing(tmp_path):
    assert lines(["/bin/false"]) == []
    assert lines([str(tmp_path / "none")]) == []
    assert lines(["/bin/echo", "a"]) == ["a"]


def test_everything_is_asked_for(monkeypatch):
    monkeypatch.setattr(everything, "units", lambda _: iter([one("unit", "a")]))
    monkeypatch.setattr(everything, "containers", lambda: iter([one("container", "b")]))
    monkeypatch.setattr(everything, "listeners", lambda: iter([Heard(name="c", pid=1, address="::1", port=5)]))
    monkeypatch.setattr(everything, "at_rest", lambda found: iter([one("redis", "-".join(found))]))
    assert [each.id for each in everything.proposals()] == [
        "unit:a",
        "container:b",
        "process:c",
        "tcp:c-5",
        "redis:process:c-tcp:c-5",
    ]
