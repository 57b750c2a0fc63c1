import pytest

from healer.model.effect import Note, Publish, Withhold


@pytest.fixture
def desk(talk):
    return talk.with_rules(talk.rule()).core.desk


def test_an_entry_is_dated_by_both_clocks_and_says_where_it_was_made(desk):
    entry = desk.entry("event", {"type": "a.b", "v": 9, "boot": "forged"})
    assert entry == {
        "v": 1, "kind": "event", "type": "a.b", "mono": 1_000_000_000, "ts": 1_790_000_000_000_000, "boot": "boot-1",
        "node": "test",
    }  # fmt: skip


def test_what_is_noted_is_folded_and_asked_to_be_sealed_in_one_breath(desk):
    desk.note("mode", "mode.changed", scope="agent", mode="observe", who="x", because="y")
    assert desk.memory.modes == {"agent": "observe"}
    (note,) = desk.out
    assert isinstance(note, Note)
    assert (note.kind, note.topic, note.fields["mode"]) == ("mode", "mode.changed", "observe")


def test_a_move_says_from_where_to_where(desk):
    desk.move("kill_switch", "off", "on", "b", topic="agent.kill-switch", target="t")
    fields = desk.out[0].fields
    assert (fields["subject"], fields["from"], fields["to"], fields["target"]) == ("kill_switch", "off", "on", "t")
    assert desk.memory.kill_switch


def test_a_word_on_the_bus_is_no_entry(desk):
    desk.publish("a.b", n=1)
    assert desk.out == [Publish(topic="a.b", data={"n": 1})]


def test_no_is_said_once_per_gate_and_incident(desk, talk):
    from healer.model.decision import Withheld

    def withhold(gate):
        desk.withhold(
            Withheld(
                incident="r@program:api",
                rule="r",
                target="program:api",
                action="restart",
                gate=gate,
                because="b",
                at=1.0,
            )
        )

    withhold("mode")
    withhold("mode")
    assert len(desk.out) == 4, "without an incident every no is a new one"
    desk.out.clear()
    desk.move("incident:r@program:api", "pending", "firing", "b", rule="r", target="program:api")
    for gate in ("mode", "limit", "mode", "limit"):
        withhold(gate)
    assert [one.withheld.gate for one in desk.out if isinstance(one, Withhold)] == ["mode", "limit"]
