"""What an answer, or none, says about a web server."""

import asyncio
import json
import time

import pytest

from healer.drivers.http import HttpError, Reply
from healer.errors import HealerError, SensorError
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors.http import HttpSensor


class Wire:
    """Answers in the place of the driver, which has tests of its own against real servers."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []
        self.opened = 0

    async def open(self):
        self.opened += 1

    async def ask(self, url, **options):
        self.asked.append((url, options))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def reply(status=200, body=b"all is well", *, complete=True):
    return Reply(status=status, headers={}, body=body, complete=complete, took=0.02)


def sensor(answer, **spec):
    wire = Wire(answer)
    target = Target(kind="http", name="front", organ="lungs", spec={"url": "http://x/", "timeout": 1.0, **spec})
    return HttpSensor(target, wire), wire


async def look(answer, **spec):
    looking, _ = sensor(answer, **spec)
    readings = await looking.look(7.0)
    assert all(dict(reading.labels)["target"] == "http:front" for reading in readings)
    return {r.metric + dict(r.labels).get("name", ""): None if isinstance(r, Unknown) else r.value for r in readings}


async def test_a_good_answer_is_ok():
    assert await look(reply()) == {"http.ok": 1, "http.latency": 0.02, "http.status": 200, "http.message": ""}


@pytest.mark.parametrize(
    ("status", "expect", "ok"),
    [
        (204, None, 1),
        (302, None, 0),
        (404, None, 0),
        (500, None, 0),
        (404, {"status": [404]}, 1),
        (200, {"status": [404]}, 0),
    ],
)
async def test_a_status_is_judged(status, expect, ok):
    seen = await look(reply(status), expect=expect)
    assert seen["http.ok"] == ok
    assert seen["http.status"] == status
    assert seen["http.message"] == ("" if ok else f"status {status}")


async def test_an_error_page_with_a_good_status_is_not_ok():
    seen = await look(reply(body=b"it broke"), expect={"body": "all is well"})
    assert seen["http.ok"] == 0
    assert "not in the answer" in seen["http.message"]
    assert (
        "first 8 bytes" in (await look(reply(body=b"it broke", complete=False), expect={"body": "x"}))["http.message"]
    )


class Patient:
    """Answers its questions one after the other, each after its time."""

    def __init__(self, *answers):
        self.answers, self.asked, self.given_up = list(answers), [], 0

    async def ask(self, url, *, timeout, **_):
        after, answer = self.answers[len(self.asked)]
        self.asked.append(timeout)
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(after)
        except TimeoutError:
            raise HttpError(f"nothing within {timeout:g} s", kind="timeout", fact=True) from None
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if isinstance(answer, Exception):
            raise answer
        return answer


async def look_patiently(*answers, timeout=0.2):
    wire = Patient(*answers)
    target = Target(kind="http", name="front", organ="lungs", spec={"url": "http://x/", "timeout": timeout})
    readings = await HttpSensor(target, wire).look(7.0)
    return wire, {r.metric: None if isinstance(r, Unknown) else r.value for r in readings}


async def test_a_server_that_answers_in_time_is_asked_once():
    wire, seen = await look_patiently((0.0, reply()))
    assert (wire.asked, seen["http.ok"]) == ([0.2], 1)


async def test_an_answer_that_was_lost_is_made_good_by_a_second_question_within_the_same_time():
    wire, seen = await look_patiently((9.0, None), (0.01, reply()))
    assert (seen["http.ok"], seen["http.latency"]) == (1, pytest.approx(0.12))
    assert (wire.asked, wire.given_up) == ([0.2, 0.1], 1)


async def test_a_slow_answer_to_the_first_question_still_counts():
    wire, seen = await look_patiently((0.15, reply()), (9.0, None))
    assert (seen["http.ok"], wire.given_up) == (1, 1)


async def test_a_server_that_hangs_has_left_two_questions_unanswered_in_the_time_of_one():
    start = time.monotonic()
    wire, seen = await look_patiently((9.0, None), (9.0, None))
    assert (seen["http.ok"], len(wire.asked)) == (0, 2)
    assert seen["http.message"] == "nothing within 0.2 s"
    assert time.monotonic() - start < 0.5


async def test_a_second_question_that_is_refused_does_not_cut_the_first_one_short():
    refused = HttpError("refused", kind="refused", fact=True)
    assert (await look_patiently((0.15, reply()), (0.0, refused)))[1]["http.ok"] == 1
    wire, seen = await look_patiently((9.0, None), (0.0, refused))
    assert (seen["http.ok"], seen["http.message"]) == (0, "nothing within 0.2 s")
    assert wire.given_up == 0


async def test_a_look_that_is_given_up_leaves_no_question_behind():
    wire = Patient((9.0, None), (9.0, None))
    target = Target(kind="http", name="front", organ="lungs", spec={"url": "http://x/", "timeout": 1.0})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.6):
            await HttpSensor(target, wire).look(7.0)
    assert wire.given_up == 2


async def test_no_answer_that_tells_of_the_server_is_not_ok_with_the_reason():
    seen = await look(HttpError("no connection: Connection refused", kind="refused", fact=True))
    assert seen["http.ok"] == 0
    assert "refused" in seen["http.message"]
    assert seen["http.latency"] is None
    assert seen["http.status"] is None


async def test_no_answer_that_tells_nothing_of_the_server_is_unknown():
    with pytest.raises(SensorError, match="look up"):
        await look(HttpError("cannot look up x", kind="dns", fact=False))


MAPPING = {
    "state": "status.name", "error": "status.failed", "message": "status.text", "value": "queue.0.depth",
    "metrics": {"lag": "queue.0.lag"},
}  # fmt: skip


async def test_a_json_reply_tells_its_state_its_message_and_its_numbers():
    body = {"status": {"name": "busy", "failed": False, "text": "ok"}, "queue": [{"depth": 7, "lag": 0.5}]}
    seen = await look(reply(body=json.dumps(body).encode()), json=MAPPING)
    assert seen["http.ok"] == 1
    assert seen["http.state"] == "busy"
    assert seen["http.error"] == 0
    assert seen["http.message"] == "ok"
    assert seen["http.metricvalue"] == 7
    assert seen["http.metriclag"] == 0.5


async def test_a_reply_that_says_there_is_an_error_is_not_ok():
    seen = await look(reply(body=b'{"bad": "disk full"}'), json={"error": "bad"})
    assert seen["http.ok"] == 0
    assert seen["http.error"] == 1
    assert "says there is an error" in seen["http.message"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b'{"a": NaN}', b"\xff", b"nul"])
async def test_a_reply_that_is_no_json_leaves_what_it_would_say_unknown(body):
    seen = await look(reply(body=body), json=MAPPING)
    assert seen["http.state"] is None
    assert seen["http.error"] is None
    assert seen["http.message"] is None
    assert seen["http.status"] == 200


async def test_a_json_reply_without_what_is_mapped_leaves_it_unknown():
    seen = await look(reply(body=b"{}"), json=MAPPING)
    assert seen["http.state"] is None
    assert seen["http.metricvalue"] is None
    assert seen["http.ok"] == 1


async def test_the_target_is_asked_as_it_says():
    looking, wire = sensor(reply(), headers={"X": "y"}, verify_tls=False)
    await looking.open(print)
    await looking.look(1.0)
    assert wire.opened == 1
    assert wire.asked == [("http://x/", {"headers": {"X": "y"}, "timeout": 1.0, "verify": False})]
    assert looking.timeout > 1.0  # running out of patience is the sensor's own finding


async def test_a_secret_is_read_at_each_look_and_one_that_is_missing_is_no_fact_about_the_server():
    class Secret:
        def reveal(self, environ):
            raise HealerError("the secret {credential: x} cannot be read")

    looking, wire = sensor(reply(), headers={"Authorization": Secret()})
    with pytest.raises(SensorError, match="cannot be read"):
        await looking.look(1.0)
    assert not wire.asked
    Secret.reveal = lambda self, environ: "Bearer y"
    await looking.look(2.0)
    assert wire.asked[0][1]["headers"] == {"Authorization": "Bearer y"}
