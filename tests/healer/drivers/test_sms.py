"""Short messages are counted as networks count them, and accepted is what the gateway's own words prove."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers import sms
from healer.drivers.http import HttpError, Reply
from healer.drivers.sms import Gateway, SmsError, alphabet, e164, nested, parts, plain, proof, request, segments

GATEWAY = Gateway(
    url="https://sms.example.org/v1",
    method="POST",
    headers={"authorization": "Bearer s3cret"},
    fields={"to": "{number}", "message.text": "{text}", "from": "{sender}"},
    encoding="json",
    sender="Healer",
)


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("+48 600 123 456", "", "+48600123456"),
        ("0048600123456", "", "+48600123456"),
        ("600-123-456", "48", "+48600123456"),
        ("0171/1234567", "49", "+491711234567"),
        ("06 1234 5678", "39", "+390612345678"),
        (" +1 (555) 010.9999 ", "48", "+15550109999"),
    ],
)
def test_numbers_become_e164(text, country, number):
    assert e164(text, country) == number


@pytest.mark.parametrize(
    "text", ["", "112", "+0123456789", "+1234567890123456", "call me", "+48 600 12٣ 456", "++48600123"]
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(SmsError):
        e164(text, "48")


def test_a_number_without_a_country_is_not_guessed():
    with pytest.raises(SmsError, match="no country"):
        e164("600123456")


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("a" * 160, [160]),
        ("a" * 161, [153, 8]),
        ("a" * 306, [153, 153]),
        ("a" * 307, [153, 153, 1]),
        ("€" * 80, [80]),
        ("€" * 81, [76, 5]),
        ("ą" * 70, [70]),
        ("ą" * 71, [67, 4]),
        ("😀" * 35, [35]),
        ("😀" * 36, [33, 3]),
        ("", [0]),
    ],
)
def test_segments_are_as_long_as_the_network_has_them(text, sizes):
    assert [len(one) for one in segments(text)] == sizes


def test_an_escape_is_never_parted_from_its_letter():
    first, second = segments("a" * 152 + "€" + "b" * 20)
    assert (len(first), second[0]) == (152, "€")


@given(st.text(max_size=800), st.integers(1, 10), st.booleans())
def test_nothing_is_lost_but_what_is_said_to_be_cut(text, most, split):
    assert "".join(segments(text)) == text
    made = parts(text, most, split=split)
    assert len(made) <= most if split else len(made) == 1
    for one in made:
        assert len(segments(one)) <= (1 if split else most)
    if made == (text,):
        return
    whole = "".join(one.partition(" ")[2] for one in made) if len(made) > 1 else made[0]
    cleaned = sms._CONTROL.sub(" ", text).encode("utf-8", "replace").decode()
    assert whole == cleaned or (whole.endswith("...") and cleaned.startswith(whole.removesuffix("...")))


def test_a_gateway_that_joins_nothing_gets_numbered_messages():
    made = parts("x" * 400, 3, split=True)
    assert [one[:4] for one in made] == ["1/3 ", "2/3 ", "3/3 "]
    assert all(len(one) <= 160 for one in made)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("zażółć gęślą jaźń", "zazolc gesla jazn"),
        ("„x” – 5 €", '"x" - 5 €'),
        ("日本", "??"),
        ("é", "é"),
    ],
)
def test_plain_text_is_the_nearest_there_is(text, says):
    assert plain(text) == says
    assert alphabet(plain(text)) == "gsm"


@given(st.text())
def test_plain_text_is_always_gsm(text):
    assert alphabet(plain(text)) == "gsm"


def test_fields_are_sent_as_the_gateway_wants_them():
    url, headers, body = request(GATEWAY, "+48600123456", 'a "b" {number}\r\nc')
    assert url == GATEWAY.url
    assert headers == {"content-type": "application/json", "authorization": "Bearer s3cret"}
    assert json.loads(body) == {"to": "+48600123456", "message": {"text": 'a "b" {number}\r\nc'}, "from": "Healer"}


@pytest.mark.parametrize("encoding", ["form", "query"])
def test_words_cannot_become_fields_of_their_own(encoding):
    made = Gateway(url="https://x/?v=1", method="GET", headers={}, fields={"t": "{text}"}, encoding=encoding)
    url, _, body = request(made, "+48600123456", "a&to=+1900&x=ł")
    got = parse_qs(body.decode() if encoding == "form" else urlsplit(url).query)
    assert got["t"] == ["a&to=+1900&x=ł"]
    assert "to" not in got


def test_dots_make_objects_and_lists():
    assert nested({"messages.0.to": "a", "messages.0.text": "b", "messages.1.to": "c", "key": "d"}) == {
        "messages": [{"to": "a", "text": "b"}, {"to": "c"}],
        "key": "d",
    }
    assert nested({"a": "1", "a.b": "2"}) == {"a": {"b": "2"}}


def reply(status, body):
    return Reply(status=status, headers={}, body=body, complete=True, took=0.0)


PROVING = Gateway(
    url="https://x", method="POST", headers={}, fields={}, encoding="json",
    accepted={"messages.0.status": "0", "ok": "true"}, id="messages.0.id",
)  # fmt: skip


def test_the_gateways_number_is_the_proof():
    body = b'{"ok": true, "messages": [{"status": 0, "id": "A-17"}]}'
    assert proof(PROVING, reply(200, body)) == "200, id A-17"
    assert proof(GATEWAY, reply(202, b"")) == "202"


@pytest.mark.parametrize(
    ("gateway", "status", "body", "says", "transient"),
    [
        (GATEWAY, 401, b"bad key", "the gateway answered 401: bad key", False),
        (GATEWAY, 503, b"", "the gateway answered 503", True),
        (GATEWAY, 429, b"", "429", True),
        (PROVING, 200, b'{"ok": true, "messages": [{"status": 4}]}', "messages.0.status is 4, not 0", True),
        (PROVING, 200, b'{"ok": true, "messages": []}', "not there", True),
        (PROVING, 200, b"<html>welcome to the hotel</html>", "not there", True),
        (PROVING, 200, b"[" * 5000, "not there", True),
    ],
)
def test_a_200_is_no_proof_where_the_reply_says_otherwise(gateway, status, body, says, transient):
    with pytest.raises(SmsError) as caught:
        proof(gateway, reply(status, body))
    assert says in caught.value.message
    assert caught.value.transient == transient


class Lost:
    async def ask(self, url, **asked):
        raise HttpError("no answer", kind="timeout", fact=True, sent=True)


async def test_a_lost_reply_may_have_been_a_message():
    with pytest.raises(SmsError) as caught:
        await sms.send(Lost(), GATEWAY, "+48600123456", "x", 1.0)
    assert caught.value.sent
