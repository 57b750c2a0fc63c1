"""What a channel said is the proof; what fails too often is skipped, and recorded as skipped."""

import asyncio
import email
import email.policy
import json

import pytest

from healer.actions.voices import BURST, Voices
from healer.config import load_config
from healer.drivers.http import HttpError, Reply
from healer.errors import ActionError, AmbiguousError, HealerError, SkippedError
from healer.model.alert import Message
from healer.testing import FakeClock

MESSAGE = Message(id="m-1", severity="critical", says="web is down", lines=("healer ack web",), thread=("m-0",))


class Http:
    """Answers with what it was given, in turn; the last one stays."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def ask(self, url, **asked):
        self.asked.append((url, asked))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        status, body = answer if isinstance(answer, tuple) else (answer, b"")
        return Reply(status=status, headers={}, body=body, complete=True, took=0.0)


def made(*answers, clock=None, lookup=None, **channels):
    http = Http(*answers)
    voices = Voices(clock or FakeClock(), "web-1", lambda: http, write=lambda *_: True, lookup=lookup)
    voices.renew(load_config({"notify": channels, "targets": [STAFF]}, environ={}).notify, "web-1")
    return voices, http


STAFF = {"kind": "sql", "name": "staff", "path": "/var/lib/staff.db", "queries": {"all": "select 1"}}
ASKS = {"recipients": {"sql": "sql:staff", "query": "select number from oncall"}}


HOOK = {"kind": "webhook", "url": "https://example.org/hook", "error_limit": 2, "retry_after": "60s"}
SMS = {
    "kind": "sms", "url": "https://sms.example.org/", "body": {"to": "{number}", "text": "{text}"},
    "recipients": ["+48600123456", "+48600654321"], "id": "id",
}  # fmt: skip
DOWN = HttpError("refused", kind="refused", fact=True, sent=False)
LOST = HttpError("no answer", kind="timeout", fact=True, sent=True)


def row(voices, name):
    return next(one for one in voices.report() if one["name"] == name)


async def test_after_so_many_errors_a_channel_is_skipped_until_one_try_succeeds():
    clock = FakeClock()
    voices, http = made(404, 404, 404, 200, clock=clock, hook=HOOK)
    for _ in range(2):
        with pytest.raises(ActionError, match="answered 404"):
            await voices.tell("hook", MESSAGE, 10.0)
    with pytest.raises(
        SkippedError, match="failed 2 times in a row, one more is tried in 60 s; last hook answered 404"
    ):
        await voices.tell("hook", MESSAGE, 10.0)
    assert len(http.asked) == 2
    assert not voices.usable("hook")
    clock.at += 60.0
    assert voices.usable("hook")
    with pytest.raises(ActionError, match="answered 404"):  # half-open: one try, and it fails
        await voices.tell("hook", MESSAGE, 10.0)
    with pytest.raises(SkippedError):
        await voices.tell("hook", MESSAGE, 10.0)
    clock.at += 60.0
    await voices.tell("hook", MESSAGE, 10.0)
    await voices.tell("hook", MESSAGE, 10.0)
    told = row(voices, "hook")
    assert (told["sent"], told["failed"], told["skipped"], told["skipping"]) == (2, 3, 2, False)
    assert voices.figures() == {"self.notify_sent": 2.0, "self.notify_skipped": 2.0, "self.notify_share": 0.4}


async def test_while_one_more_is_tried_nobody_else_is():
    clock, gate = FakeClock(), asyncio.Event()
    voices, http = made(404, hook=HOOK | {"error_limit": 1}, clock=clock)
    with pytest.raises(ActionError):
        await voices.tell("hook", MESSAGE, 10.0)
    clock.at += 60.0

    async def ask(url, **asked):
        await gate.wait()
        return Reply(status=200, headers={}, body=b"", complete=True, took=0.0)

    http.ask = ask
    async with asyncio.TaskGroup() as group:
        trying = group.create_task(voices.tell("hook", MESSAGE, 10.0))
        await asyncio.sleep(0)
        with pytest.raises(SkippedError):
            await voices.tell("hook", MESSAGE, 10.0)
        gate.set()
    assert trying.result().because == "hook: 200"


async def test_a_reload_keeps_what_is_known_of_a_channel_that_stays():
    voices, _ = made(404, hook=HOOK)
    with pytest.raises(ActionError):
        await voices.tell("hook", MESSAGE, 10.0)
    same = load_config({"notify": {"hook": HOOK | {"alerts": {}}}}, environ={}).notify
    voices.renew(same, "web-1")
    assert row(voices, "hook")["errors"] == 1
    voices.renew(load_config({"notify": {"hook": HOOK | {"url": "https://x/"}}}, environ={}).notify, "web-1")
    assert row(voices, "hook")["errors"] == 0
    voices.renew({}, "web-1")
    assert [one["name"] for one in voices.report()] == ["journal"]


async def test_a_webhook_says_which_thread_and_what_more():
    voices, http = made(200, hook=HOOK)
    await voices.tell("hook", MESSAGE, 10.0)
    event = json.loads(http.asked[0][1]["body"])
    assert event["id"] == "m-1"
    assert event["data"]["lines"] == ["healer ack web"]
    assert event["data"]["thread"] == ["m-0"]


async def test_each_number_is_told_of_by_itself():
    voices, http = made((200, b'{"id": 7}'), (500, b"no"), sms=SMS)
    receipt = await voices.tell("sms", MESSAGE, 10.0)
    assert receipt.because == ("sms: +48600123456 (200, id 7); refused: +48600654321: the gateway answered 500: no")
    assert json.loads(http.asked[0][1]["body"])["text"] == "web-1 critical: web is down"


@pytest.mark.parametrize(
    ("answers", "kind", "transient"),
    [
        ((500,), ActionError, True),
        ((401,), ActionError, False),
        ((DOWN,), ActionError, True),
        ((LOST,), AmbiguousError, False),
    ],
)
async def test_nobody_who_has_it_is_an_error_and_a_lost_reply_an_ambiguous_one(answers, kind, transient):
    voices, _ = made(*answers, sms=SMS)
    with pytest.raises(ActionError) as caught:
        await voices.tell("sms", MESSAGE, 10.0)
    assert type(caught.value) is kind
    assert caught.value.transient == transient


async def test_no_time_left_is_an_error_and_no_message():
    voices, http = made(200, sms=SMS)
    with pytest.raises(ActionError, match="no time left"):
        await voices.tell("sms", MESSAGE, 0.0)
    assert http.asked == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [([], "names nobody"), (["", " "], "names nobody"), (HealerError("refused"), "cannot be asked: refused")],
)
async def test_who_is_on_call_is_asked_and_nobody_is_an_error(answer, says):
    async def lookup(target, query, seconds):
        assert (target, query) == ("sql:staff", "select number from oncall")
        assert seconds > 0
        if isinstance(answer, HealerError):
            raise answer
        return answer

    asked = SMS | ASKS
    voices, http = made(200, lookup=lookup, sms=asked)
    with pytest.raises(ActionError, match=says):
        await voices.tell("sms", MESSAGE, 10.0)
    assert http.asked == []


async def test_who_is_on_call_gets_it_once():
    async def lookup(*_):
        return ["+48600123456", " +48600123456 ", "nonsense"]

    asked = SMS | ASKS
    voices, http = made(200, lookup=lookup, sms=asked)
    receipt = await voices.tell("sms", MESSAGE, 10.0)
    assert len(http.asked) == 1
    assert "refused: nonsense: 'nonsense' is no telephone number" in receipt.because


async def test_without_a_database_to_ask_nobody_is_guessed():
    voices, _ = made(200, sms=SMS | ASKS)
    with pytest.raises(ActionError, match="nothing here can ask sql:staff") as caught:
        await voices.tell("sms", MESSAGE, 10.0)
    assert not caught.value.transient


async def test_a_secret_that_cannot_be_read_is_ours_to_mend(tmp_path):
    hook = HOOK | {"headers": {"authorization": {"file": str(tmp_path / "absent")}}}
    voices, http = made(200, hook=hook)
    with pytest.raises(ActionError, match="cannot be read") as caught:
        await voices.tell("hook", MESSAGE, 10.0)
    assert not caught.value.transient
    assert http.asked == []


async def test_mail_is_written_from_the_message():
    letters = []

    async def sink(reader, writer):
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"DATA":
                writer.write(b"354 go\r\n")
                letters.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 queued as 1\r\n")
            else:
                writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(sink, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    mail = {
        "kind": "email", "host": "127.0.0.1", "port": port, "tls": "none", "sender": "h@example.org",
        "recipients": "ops@example.org",
    }  # fmt: skip
    voices, _ = made(200, mail=mail)
    receipt = await voices.tell("mail", MESSAGE, 10.0)
    server.close()
    assert (receipt.because, receipt.rc) == ("mail: 250 queued as 1", 250)
    letter = email.message_from_bytes(letters[0], policy=email.policy.SMTP)
    assert letter["Subject"] == "[web-1] critical: web is down"
    assert letter["In-Reply-To"] == "<m-0@web-1.healer>"
    assert letter.get_content().startswith("web is down\r\nhealer ack web\r\n")
    with pytest.raises(ActionError, match="Connection refused"):
        await voices.tell("mail", MESSAGE, 10.0)


async def test_rules_that_say_too_much_at_once_say_the_rest_together():
    clock, collected = FakeClock(), []
    voices, http = made(200, clock=clock, hook=HOOK)
    for _ in range(2 * BURST):
        await voices.relay("hook", MESSAGE, 10.0)
    voices.collect = lambda name, message: collected.append((name, message))
    clock.at += 60.0
    for number in range(10_000):
        try:
            await voices.relay("hook", MESSAGE, 10.0)
        except SkippedError as exc:
            assert "goes out with others, as one" in exc.message  # noqa: PT017 - the first ones do not raise
            assert number >= BURST
    assert len(http.asked) == 3 * BURST
    assert len(collected) == 10_000 - BURST
    clock.at += 60.0
    await voices.relay("hook", MESSAGE, 10.0)
    await voices.relay("journal", MESSAGE, 10.0)
    assert row(voices, "hook")["skipped"] == 0
