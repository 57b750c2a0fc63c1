"""People are told, by the journal or a webhook, and it is said who was not."""

import json

import pytest

from healer.actions.interface import Order
from healer.actions.notify import Notify, message_of
from healer.actions.voices import Voices
from healer.clock import SystemClock
from healer.config.channel import Channel
from healer.drivers.http import HttpError, Reply
from healer.errors import ActionError
from healer.model.target import Target
from tests.healer.actions.conftest import INTENT

HOOK = Channel(name="oncall", kind="webhook", url="https://x/hook", headers={"Authorization": "t"}, timeout=3.0)


class Http:
    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def ask(self, url, **asked):
        self.asked.append((url, asked))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Reply(status=answer, headers={}, body=b"", complete=True, took=0.0)


def build(*answers, journal=True):
    written, http = [], Http(*answers)

    def write(*entry):
        written.append(entry)
        return journal

    voices = Voices(SystemClock(), "host1", lambda: http, write=write)
    voices.renew({"oncall": HOOK}, "host1")
    return Notify(voices), written, http


@pytest.mark.parametrize(
    ("channel", "there", "told"),
    [("journal", True, "told the journal"), ("journal", False, "told standard error"),
     ("typo", True, "there is no channel typo; told the journal")],
)  # fmt: skip
async def test_the_journal_is_the_last_resort_and_says_so(order, channel, there, told):
    notify, written, _ = build(journal=there)
    assert (await notify.act(order({"channel": channel, "severity": "critical"}))).because == told
    message, priority, fields = written[0]
    assert (message, priority) == ("it is down", 2)
    assert fields["target"] == "program:api"


async def test_a_webhook_gets_a_cloudevent(order):
    notify, _, http = build(202)
    await notify.act(order({"channel": "oncall", "message": "look\r\nhere"}))
    url, asked = http.asked[0]
    event = json.loads(asked["body"])
    assert url == HOOK.url
    assert asked["headers"] == {"content-type": "application/cloudevents+json", "authorization": "t"}
    assert {key: event[key] for key in ("specversion", "id", "source", "type", "subject")} == {
        "specversion": "1.0",
        "id": INTENT,
        "source": "/healer/host1",
        "type": "healer.notification",
        "subject": "program:api",
    }
    assert event["data"]["message"] == "look\r\nhere"


def lost(*, sent):
    return HttpError("no answer", kind="timeout", fact=True, sent=sent)


@pytest.mark.parametrize(
    ("answers", "tries"),
    [([503, 200], 2), ([lost(sent=True), 200], 2), ([lost(sent=False), lost(sent=False), 200], 3)],
)
async def test_a_webhook_is_tried_again_a_few_times(order, answers, tries):
    notify, _, http = build(*answers)
    await notify.act(order({"channel": "oncall"}))
    assert len(http.asked) == tries
    assert len({asked["body"][:200] for _, asked in http.asked}) == 1  # the same id each time


@pytest.mark.parametrize(("answers", "transient"), [([404], False), ([500, 500, 500], True)])
async def test_nobody_told_is_an_error(order, answers, transient):
    notify, _, http = build(*answers)
    with pytest.raises(ActionError) as caught:
        await notify.act(order({"channel": "oncall"}))
    assert caught.value.transient == transient
    assert http.answers == []


async def test_a_lost_reply_every_time_is_not_ambiguous_for_a_message(order):
    notify, _, _ = build(*[lost(sent=True)] * 3)
    with pytest.raises(ActionError) as caught:
        await notify.act(order({"channel": "oncall"}))
    assert type(caught.value) is ActionError


def test_the_dry_run_shows_the_message(order):
    assert build()[0].would(order({"channel": "oncall"})) == "would tell oncall: it is down"


@pytest.mark.parametrize(
    ("keys", "about"),
    [
        (["target:redis:sessions"], ("redis:sessions", "")),
        (["incident:redis-down@redis:sessions"], ("redis:sessions", "redis-down")),
        (["log"], ("host:", "")),
        ([], ("host:", "")),
    ],
)
def test_a_message_of_the_agent_itself_says_whom_it_is_about(keys, about):
    host = Target(kind="host", name="", organ="brain")
    order = Order(intent="x", target=host, params={"message": "m", "about": keys}, timeout=1.0, generation="")
    facts = message_of(order).facts
    assert (facts["target"], facts["rule"]) == about
