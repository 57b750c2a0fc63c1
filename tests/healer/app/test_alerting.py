"""Alerts at work: through the log where it goes, past it where the log or the switch stands in the way."""

import asyncio

import pytest

from healer.actions.voices import Voices
from healer.app import troubles
from healer.app.alerting import PATIENCE, Alerting
from healer.config import load_config
from healer.errors import ActionError
from healer.model.alert import Trouble
from healer.runtime.bus import Bus
from healer.testing import FakeClock

DOWN = Trouble(
    key="target:file:flag", about="failure", severity="warning", says="file:flag is down", target="file:flag"
)
SWITCH = Trouble(key="brakes:kill-switch", about="brakes", severity="warning", says="the switch is on", unsealed=True)


class Stage:
    """An alerting whose neighbours are lists."""

    def __init__(self, **notify):
        self.clock, self.bus = FakeClock(), Bus()
        self.happened, self.kept, self.written = [], 0, []
        self.log_works, self.switch, self.windows = True, False, {}
        self.seen = troubles.Seen()
        self.coroutines = []
        self.voices = Voices(self.clock, "here", self._no_http, write=self._write)
        self.config = load_config({"notify": notify}, environ={})
        self.voices.renew(self.config.notify, "here")
        self.alerting = Alerting(
            voices=self.voices, bus=self.bus, clock=self.clock, core=lambda: self, gather=lambda: self.seen,
            happened=self._happened, start=lambda _, job: self.coroutines.append(job()), keep=self._keep,
            sealing=lambda: self.log_works,
        )  # fmt: skip
        self.alerting.renew(self.config)
        self.fails: ActionError | None = None
        self.ids = 0

    # The few things of a core that are looked at.
    @property
    def desk(self):
        return self

    @property
    def memory(self):
        return self

    @property
    def kill_switch(self):
        return self.switch

    @property
    def maintenance(self):
        return self.windows

    @staticmethod
    def _no_http():
        raise AssertionError("nobody asks for that here")

    def _write(self, message, priority, fields):
        if self.fails:
            raise self.fails
        self.written.append(message)
        return True

    def _happened(self, topic, **data):
        self.happened.append((topic, data))

    def _keep(self):
        self.kept += 1

    def wrong(self, *found):
        self.seen.troubles = {one.key: one for one in found}

    def look(self, seconds=20.0):
        """Time passes, and it looks; what went past the log is carried out."""
        for _ in range(int(seconds / 2)):
            self.clock.at += 2.0
            self.alerting.look()
            while self.coroutines:
                asyncio.run(self.coroutines.pop())

    def alerts(self):
        return [data for topic, data in self.happened if topic == "alert"]

    def becomes(self, alert, result="done", because=""):
        """The fate of an alert, as the log has it."""
        self.ids += 1
        intent = {"id": f"i-{self.ids}", "action": "notify", "corr": f"alert:{alert['incident']}", "target": "host:"}
        self.bus.publish("action.intended", intent | {"params": {"id": alert["id"], "channel": alert["channel"]}}, 0.0)
        self.bus.publish(
            "action.outcome", {"id": f"i-{self.ids}", "result": result, "because": because, "of": "leaf"}, 0
        )


@pytest.fixture
def stage():
    return Stage(journal={"kind": "journal", "alerts": {}})


def test_a_message_is_asked_for_as_a_decision_and_its_outcome_is_its_fate(stage):
    stage.wrong(DOWN)
    stage.look()
    (alert,) = stage.alerts()
    assert (alert["message"], alert["channel"], alert["severity"]) == ("file:flag is down", "journal", "warning")
    assert alert["incident"] == alert["id"]
    stage.becomes(alert)
    assert stage.kept == 1
    stage.look(600)
    assert len(stage.alerts()) == 1
    assert stage.written == []


@pytest.mark.parametrize("result", ["failed-transient", "skipped", "ambiguous", "refused", "stale", "interrupted"])
def test_what_was_not_done_was_not_told(result):
    stage = Stage(
        hook={"kind": "webhook", "url": "http://x/", "alerts": {}}, other={"kind": "webhook", "url": "http://y/"}
    )
    stage.wrong(DOWN)
    stage.look()
    stage.becomes(stage.alerts()[0], result, "no answer")
    assert [one["channel"] for one in stage.alerts()] == ["hook", "other"]
    assert stage.alerts()[1]["lines"][-1] == "hook was not told: no answer"
    assert stage.alerts()[1]["id"] == stage.alerts()[0]["id"]


def test_a_message_nobody_hears_of_again_counts_as_lost():
    stage = Stage(hook={"kind": "webhook", "url": "http://x/", "alerts": {}})
    stage.wrong(DOWN)
    stage.look()
    stage.look(PATIENCE + 10)
    assert [one["channel"] for one in stage.alerts()] == ["hook", "journal"]


def test_that_the_log_takes_nothing_goes_past_it(stage):
    stage.log_works = False
    stage.wrong(DOWN, Trouble(key="log:sealing", about="log", severity="critical", says="it is full", unsealed=True))
    stage.look()
    assert stage.alerts() == []
    assert len(stage.written) == 1
    assert "it is full" in stage.written[0]
    assert stage.happened == []  # nothing can be sealed, not even this
    stage.look(600)
    assert len(stage.written) == 1


def test_the_kill_switch_is_told_and_then_nothing_until_it_is_taken_away(stage):
    stage.switch = True
    stage.wrong(DOWN, SWITCH)
    stage.look(600)
    assert [one.splitlines()[0] for one in stage.written] == ["the switch is on"]
    ((topic, data),) = stage.happened
    assert (topic, data["type"], data["data"]["told"]) == ("seal", "system.alert", "the journal")
    stage.switch = False
    stage.wrong(DOWN)
    stage.look()
    assert "file:flag is down" in stage.alerts()[0]["message"]


def test_a_message_that_the_switch_kept_waits_for_its_time(stage):
    stage.wrong(DOWN)
    stage.look()
    stage.bus.publish("alert.withheld", {"message": "x", "id": stage.alerts()[0]["id"]}, 0.0)
    stage.look()
    assert len(stage.alerts()) == 2


def test_what_fails_past_the_log_is_tried_again(stage):
    stage.log_works, stage.fails = False, ActionError("no room")
    stage.wrong(DOWN)
    stage.look()
    assert stage.written == []
    stage.fails = None
    stage.look(120)
    assert len(stage.written) == 1


def test_who_says_that_they_know_is_not_reminded(stage):
    stage.wrong(DOWN)
    stage.look()
    asked = {"verb": "ack", "answer": "accepted", "args": {"subject": "file:flag"}, "who": "uid:0"}
    stage.bus.publish("request.answered", asked | {"answer": "refused"}, 0.0)
    assert stage.alerting.room.report(stage.clock.now())[0]["acked"] == ""
    stage.bus.publish("request.answered", asked, 0.0)
    assert stage.alerting.room.report(stage.clock.now())[0]["acked"] == "uid:0"
    stage.bus.publish("request.answered", {"verb": "pause", "args": {}}, 0.0)


@pytest.mark.parametrize(
    "intent",
    [
        {"corr": "alert:gone@file:flag", "target": "host:"},
        {"corr": "gone@file:flag", "target": "file:flag"},
        {"corr": "hook:on_fire:gone@file:flag", "target": "host:"},
        {"corr": "alert:hook:on_fire:gone@file:flag", "target": "host:"},
    ],
)
def test_what_a_rule_has_told_a_channel_it_does_not_hear_again(stage, intent):
    stage.wrong(DOWN)
    stage.look(4)
    said = {"id": "i-9", "action": "notify", "params": {"channel": "journal"}, **intent}
    stage.bus.publish("action.intended", said, 0.0)
    stage.bus.publish("action.outcome", {"id": "i-9", "result": "done", "of": "leaf"}, 0.0)
    stage.look(600)
    assert stage.alerts() == []


def test_what_was_told_is_kept_and_taken_up(stage):
    stage.wrong(DOWN)
    stage.look()
    stage.becomes(stage.alerts()[0])
    kept = stage.alerting.kept()
    after = Stage(journal={"kind": "journal", "alerts": {}})
    after.alerting.take_up(kept)
    after.wrong(DOWN)
    after.look(600)
    assert after.alerts() == []
    after.alerting.take_up({"wall": "yesterday"})
    assert Stage(journal={"kind": "journal"}).alerting.kept() == {}


def test_nobody_who_wants_to_hear_is_nobody_who_looks():
    stage = Stage(journal={"kind": "journal"})
    stage.seen = None  # would fail if it were looked at
    stage.look(60)
    assert stage.alerts() == []


def test_the_core_profile_tells_the_journal_and_nobody_else():
    stage = Stage(journal={"kind": "journal", "alerts": {}}, hook={"kind": "webhook", "url": "http://x/", "alerts": {}})
    stage.alerting.renew(load_config({"profile": "core", "notify": {
        "journal": {"kind": "journal", "alerts": {}}, "hook": {"kind": "webhook", "url": "http://x/", "alerts": {}},
    }}, environ={}))  # fmt: skip
    assert list(stage.alerting.room.boxes) == ["journal"]


def test_what_the_core_has_told_the_journal_is_told_there():
    stage = Stage(journal={"kind": "journal", "alerts": {}})
    said = {"id": "i-9", "action": "notify", "params": {"channel": "", "message": "x"}, "corr": "alert:safe_mode"}
    stage.bus.publish("action.intended", said, 0.0)
    stage.bus.publish("action.outcome", {"id": "i-9", "result": "done", "of": "leaf"}, 0.0)
    stage.wrong(Trouble(key="brakes:safe-mode", about="brakes", severity="critical", says="safe mode"))
    stage.look(600)
    assert stage.alerts() == []


@pytest.mark.parametrize("corr", ["request:r-1", "alert:agent", "alert:test", "alert:flapping:program:x", "", "@x"])
def test_a_message_about_no_case_is_about_none(stage, corr):
    said = {"id": "i-9", "action": "notify", "params": {"channel": "journal"}, "corr": corr, "target": "host:"}
    stage.bus.publish("action.intended", said, 0.0)
    stage.bus.publish("action.outcome", {"id": "i-9", "result": "done", "of": "leaf"}, 0.0)
    stage.wrong(DOWN)
    stage.look()
    assert len(stage.alerts()) == 1
