"""Mail is handed in or it is not, and in which of the two it ended is known, whatever the server does."""

import asyncio
import base64
import contextlib
import dataclasses
import email
import email.policy
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers import smtp
from healer.drivers.smtp import Letter, Server, SmtpError, composed, message_id, send

LETTER = Letter(
    sender="Healer <healer@example.org>",
    recipients=("a@example.org", "Bo <b@example.org>"),
    subject="nginx ist kaputt: überlastet",
    text="zażółć gęślą jaźń\n.a dot\nlast",
    id="m-1",
    thread=("m-0",),
    at=1_700_000_000.0,
    severity="critical",
    node="web-1",
)
GREETING, BYE = b"220 sink\r\n", b"221 bye\r\n"
REPLIES = {
    b"EHLO": b"250-sink\r\n250-SIZE 100000\r\n250 8BITMIME\r\n",
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"DATA": b"354 go on\r\n",
    b".": b"250 2.0.0 Ok: queued as 4XyZ\r\n",
    b"QUIT": BYE,
}


class Sink:
    """Answers by the first word of a line; what it is told to do instead is in ``replies``."""

    def __init__(self, greeting: bytes = GREETING, **replies: bytes | None) -> None:
        self.greeting = greeting
        self.replies = REPLIES | {name.encode(): reply for name, reply in replies.items() if name != "end"}
        if "end" in replies:
            self.replies[b"."] = replies["end"]
        self.heard: list[bytes] = []
        self.text = b""
        self.gone = asyncio.Event()
        self.called = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.called = True
        with contextlib.suppress(OSError):
            await self._talk(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        self.gone.set()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting)
        while line := await reader.readline():
            self.heard.append(line.strip())
            word = line.split(b" ")[0].strip().upper()
            if await self._answer(word, reader, writer):
                return
            if word == b"DATA" and self.replies[b"DATA"].startswith(b"354"):
                while (line := await reader.readline()) not in (b".\r\n", b""):
                    self.text += line.removeprefix(b".")
                if await self._answer(b".", reader, writer):
                    return

    async def _answer(self, word: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        reply = self.replies.get(word, b"502 what?\r\n")
        if reply is None:  # hang, until the other side has had enough
            await reader.read()
            return True
        writer.write(reply)
        await writer.drain()
        return not reply.endswith(b"\r\n")  # a reply cut in the middle ends the connection


@contextlib.asynccontextmanager
async def sink(made: Sink) -> AsyncIterator[Server]:
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    try:
        yield Server(host="127.0.0.1", port=listening.sockets[0].getsockname()[1], tls="none", helo="web-1")
    finally:
        listening.close()
        if made.called:
            await asyncio.wait_for(made.gone.wait(), 5.0)


async def failed(made: Sink, *, letter: Letter = LETTER, timeout: float = 5.0, **server) -> SmtpError:
    async with sink(made) as at:
        with pytest.raises(SmtpError) as caught:
            await send(dataclasses.replace(at, **server), letter, timeout)
    return caught.value


async def test_the_proof_is_what_the_server_said():
    made = Sink()
    async with sink(made) as at:
        taken = await send(at, LETTER, 5.0)
    assert taken.reply == "250 2.0.0 Ok: queued as 4XyZ"
    assert taken.refused == {}
    assert [line.split(b" size")[0] for line in made.heard] == [
        b"ehlo web-1",
        b"mail FROM:<healer@example.org>",
        b"rcpt TO:<a@example.org>",
        b"rcpt TO:<b@example.org>",
        b"data",
        b"quit",
    ]


async def test_what_arrives_is_what_was_meant():
    made = Sink()
    async with sink(made) as at:
        await send(at, LETTER, 5.0)
    got = email.message_from_bytes(made.text, policy=email.policy.SMTP)
    assert got["Subject"] == LETTER.subject
    assert got["From"] == "Healer <healer@example.org>"
    assert got["To"] == "a@example.org, Bo <b@example.org>"
    assert got["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert got["Message-ID"] == "<m-1@web-1.healer>"
    assert got["In-Reply-To"] == got["References"] == "<m-0@web-1.healer>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["Importance"] == "high"
    assert got.get_content().replace("\r\n", "\n").rstrip("\n") == LETTER.text


async def test_a_recipient_who_is_refused_is_named_and_the_others_get_it():
    class Choosy(Sink):
        async def _answer(self, word, reader, writer):
            if b"b@example" in self.heard[-1] and word == b"RCPT":
                writer.write(b"550 5.1.1 no such user\r\n")
                return False
            return await super()._answer(word, reader, writer)

    async with sink(Choosy()) as at:
        taken = await send(at, LETTER, 5.0)
    assert taken.refused == {"Bo <b@example.org>": "550 5.1.1 no such user"}
    assert taken.reply.startswith("250")


@pytest.mark.parametrize(
    ("replies", "says", "transient", "sent"),
    [
        ({"RCPT": b"550 no\r\n"}, "nobody was taken: a@example.org: 550 no; Bo <b@example.org>: 550 no", False, False),
        ({"RCPT": b"451 later\r\n"}, "nobody was taken", True, False),
        ({"MAIL": b"530 log in first\r\n"}, "MAIL FROM: 530 log in first", False, False),
        ({"DATA": b"554 no valid recipients\r\n"}, "554 no valid recipients", False, False),
        ({"end": b"552 too big\r\n"}, "DATA: 552 too big", False, False),
        ({"end": b"451 later\r\n"}, "DATA: 451 later", True, False),
        ({"end": b""}, "closed the connection", True, True),
        ({"MAIL": b""}, "closed the connection", True, False),
        ({"MAIL": b"HTTP/1.1 400 Bad Request\r\n"}, "said what is no SMTP", True, False),
        ({"EHLO": b"250-x\r\n" * 200}, "more than 100 lines", True, False),
        ({"MAIL": b"2" * 20_000 + b"\r\n"}, "said what is no SMTP", True, False),
    ],
)
async def test_a_server_that_fails_is_told_as_what_it_did(replies, says, transient, sent):
    exc = await failed(Sink(**replies))
    assert says in exc.message
    assert (exc.transient, exc.sent) == (transient, sent)


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9\r\n", b"\x16\x03\x01\x02\x00\r\n", b"421 busy\r\n"])
async def test_what_greets_us_with_something_else_is_no_mail_server(greeting):
    exc = await failed(Sink(greeting=greeting))
    assert not exc.sent


@pytest.mark.parametrize(("hangs", "sent"), [({"MAIL": None}, False), ({"end": None}, True), ({"EHLO": None}, False)])
async def test_a_server_that_hangs_is_left_in_time(hangs, sent):
    made = Sink(**hangs)
    async with sink(made) as at:
        with pytest.raises(SmtpError) as caught:
            await send(at, LETTER, 0.2)
        await asyncio.wait_for(made.gone.wait(), 5.0)  # and it does not keep us: the connection is shut
    assert "no end within 0.2 s" in caught.value.message
    assert caught.value.sent == sent
    assert caught.value.transient


async def test_a_byte_a_moment_is_no_answer():
    class Slow(Sink):
        async def _talk(self, reader, writer):
            while not reader.at_eof():
                writer.write(b"2")
                await asyncio.sleep(0.02)

    made = Slow()
    async with sink(made) as at:
        with pytest.raises(SmtpError) as caught:
            await send(at, LETTER, 0.2)
    assert "no end within" in caught.value.message


async def test_nobody_there_is_refused():
    async with sink(Sink()) as at:
        pass
    with pytest.raises(SmtpError) as caught:
        await send(at, LETTER, 5.0)
    assert "Connection refused" in caught.value.message
    assert caught.value.transient


async def test_without_starttls_nothing_goes_out_in_the_clear():
    made = Sink()
    exc = await failed(made, tls="starttls", user="u", password="secret")
    assert "STARTTLS" in exc.message
    assert not exc.transient
    assert not any(line.lower().startswith((b"auth", b"mail")) for line in made.heard)


async def test_tls_with_a_server_that_has_none_is_told_as_such():
    exc = await failed(Sink(), tls="tls")
    assert "TLS failed" in exc.message


@pytest.mark.parametrize("keys", [{"ca": "/nowhere/ca.pem"}, {"certificate": "/nowhere/me.pem"}])
async def test_a_certificate_that_is_not_there_is_ours_to_mend(keys):
    exc = await failed(Sink(), tls="tls", **keys)
    assert "a certificate cannot be read (" in exc.message
    assert not exc.transient


async def test_an_address_beyond_ascii_needs_a_server_that_takes_it():
    wide = dataclasses.replace(LETTER, recipients=("gęś@example.org",))
    assert "SMTPUTF8" in (await failed(Sink(), letter=wide)).message
    made = Sink(EHLO=b"250-sink\r\n250 SMTPUTF8\r\n")
    async with sink(made) as at:
        await send(at, wide, 5.0)
    assert "rcpt TO:<gęś@example.org>".encode() in made.heard


async def test_one_address_that_cannot_be_taken_keeps_nobody_else_from_being_told():
    made = Sink()
    async with sink(made) as at:
        taken = await send(at, dataclasses.replace(LETTER, recipients=("ok@example.org", "gęś@example.org")), 5.0)
    assert set(taken.refused) == {"gęś@example.org"}
    assert b"rcpt TO:<ok@example.org>" in made.heard


async def test_a_server_that_repeats_what_it_was_given_gives_no_password_away():
    octets = base64.b64encode(b"\0anna\0hunter2hunter2")
    made = Sink(EHLO=b"250-sink\r\n250 AUTH PLAIN\r\n", AUTH=b"535 no: AUTH PLAIN " + octets + b"\r\n")
    async with sink(made) as at:
        with pytest.raises(SmtpError, match="535") as caught:
            await send(dataclasses.replace(at, user="anna", password="hunter2hunter2"), LETTER, 5.0)
    assert octets.decode() not in caught.value.message


HOSTILE = st.text(alphabet=st.characters(exclude_categories=()), max_size=80) | st.sampled_from(
    ["x\r\nBcc: evil@example.org", "x\nSubject: y", "x\r\n\r\nbody", "\u2028Bcc: e@x", "x\0y", "=?utf-8?q?=0d=0aBcc:?="]
)


@given(subject=HOSTILE, text=HOSTILE, unique=HOSTILE, node=HOSTILE)
def test_no_words_become_a_header_of_their_own(subject, text, unique, node):
    letter = dataclasses.replace(LETTER, subject=subject, text=text, id=unique, node=node, thread=(unique,))
    got = email.message_from_bytes(composed(letter))
    assert sorted(name.lower() for name in got) == sorted(
        [
            "from", "to", "subject", "date", "message-id", "in-reply-to", "references", "auto-submitted",
            "x-auto-response-suppress", "importance", "content-type", "content-transfer-encoding", "mime-version",
        ]
    )  # fmt: skip
    assert not got.is_multipart()


def test_an_id_is_made_of_harmless_characters():
    assert message_id("a b>\r\nX: y", "höst") == "<a-b---X--y@h-st.healer>"
    assert message_id("", "") == "<x@x.healer>"


def test_what_is_said_is_one_line_and_short():
    assert smtp._said(550, b"no\r\nway\x00" + b"x" * 1000).startswith("550 no way xxx")
    assert len(smtp._said(550, b"x" * 1000)) == smtp.LONGEST_REPLY
