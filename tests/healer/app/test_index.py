import pytest

from healer.app.index import IncidentIndex
from healer.config import load_config
from healer.model.memory import Incident, Memory
from healer.runtime.bus import Bus
from healer.store.store import IncidentRecord
from healer.testing import FakeClock

KEY = "r@program:p"


class Kept:
    """Stands where the history stands: the last of each incident."""

    def __init__(self):
        self.records = {}

    def save_incident(self, record):
        self.records[record.incident, record.opened] = record

    @property
    def only(self):
        (record,) = self.records.values()
        return record


class Kit:
    def __init__(self, **more):
        self.kept, self.bus = Kept(), Bus()
        program = {"name": "p", "organ": "heart", "command": ["true"]}
        self.config = load_config({"version": 1, "programs": [program], **more}, environ={})
        self.index = IncidentIndex(self.kept, FakeClock())
        self.index.listen(self.bus, self.config)

    def moved(self, to, at, topic="incident.moved", because="so", key=KEY):
        data = {"subject": f"incident:{key}", "to": to, "because": because, "ts": round(at * 1e6)}
        self.bus.publish(topic, data, 0.0)

    def acted(self, name="i-1", key=KEY):
        self.bus.publish("action.intended", {"id": name, "corr": key}, 0.0)

    def judged(self, result, name="i-1"):
        self.bus.publish("action.verdict", {"id": name, "result": result}, 0.0)


@pytest.fixture
def kit():
    return Kit()


def test_an_incident_is_followed_from_firing_to_its_end(kit):
    kit.moved("firing", 100.0, "incident.firing", "program.up == 0")
    assert kit.kept.only == IncidentRecord(
        incident=KEY, opened=100.0, rule="r", target="program:p", organ="heart", phase="firing",
        because="program.up == 0",
    )  # fmt: skip
    kit.acted()
    assert (kit.kept.only.phase, kit.kept.only.actions) == ("acting", 1)
    kit.judged("verified")
    kit.moved("clearing", 110.0)
    kit.moved("inactive", 120.0, "incident.cleared", "clear")
    done = kit.kept.only
    assert (done.phase, done.closed, done.verdict, done.actions) == ("inactive", 120.0, "verified", 1)


def test_the_next_incident_of_the_same_name_is_another(kit):
    for start in (100.0, 200.0):
        kit.moved("firing", start, "incident.firing")
        kit.moved("inactive", start + 5, "incident.cleared")
    assert [record.opened for record in kit.kept.records.values()] == [100.0, 200.0]


def test_actions_and_verdicts_of_others_do_not_count(kit):
    kit.moved("firing", 100.0, "incident.firing")
    kit.acted("i-2", "request:r-1")
    kit.judged("verified", "i-2")
    kit.judged("verified", "i-9")
    assert (kit.kept.only.actions, kit.kept.only.verdict) == (0, "")


def test_a_verdict_after_the_end_changes_nothing(kit):
    kit.moved("firing", 100.0, "incident.firing")
    kit.acted()
    kit.moved("inactive", 105.0, "incident.rearmed", "by hand")
    kit.judged("unverified")
    assert kit.kept.only.verdict == ""


def record(**more):
    return IncidentRecord(
        **{"incident": KEY, "opened": 50.0, "rule": "r", "target": "program:p", "phase": "firing"} | more
    )


def test_after_a_restart_an_open_incident_goes_on_and_one_that_is_gone_is_closed(kit):
    memory = Memory(incidents={KEY: Incident(rule="r", target="program:p", phase="firing", opened=1.0, since=1.0)})
    ended, lost, older = (
        record(incident="old@x", closed=60.0),
        record(incident="lost@x"),
        record(opened=10.0),
    )
    kit.index.take_up([record(actions=2), older, ended, lost], memory)
    assert {key for key, _ in kit.kept.records} == {"lost@x", KEY}
    assert all(one.closed is not None for one in kit.kept.records.values())
    kit.moved("given-up", 70.0, "incident.given-up")
    again = kit.kept.records[KEY, 50.0]
    assert (again.phase, again.actions, again.closed) == ("given-up", 2, None)


def test_a_profile_without_history_keeps_no_index_and_a_reload_may_change_that(kit):
    core = Kit(profile="core")
    core.moved("firing", 100.0, "incident.firing")
    assert core.kept.records == {}
    core.index.renew(kit.config)
    core.moved("clearing", 105.0)
    assert core.kept.only.phase == "clearing"
