"""The request's one form."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import Malformed
from audit.witness.protocol import MAX_BODY, Submission, log_id

NOTE = b"log\n5\n" + base64.b64encode(bytes(32)) + b"\n\n\xe2\x80\x94 log AAAAAAA=\n"
HASH = base64.b64encode(bytes(range(32))) + b"\n"


@pytest.mark.parametrize("proof", [0, 1, 63])
def test_a_request_is_read_and_written_the_same(proof):
    body = b"old 3\n" + HASH * proof + b"\n" + NOTE
    asked = Submission.parse(body)
    assert (asked.old, len(asked.proof)) == (3, proof)
    assert asked.octets() == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        NOTE,
        b"old\n\n" + NOTE,
        b"old 3\n" + NOTE,
        b"old 03\n\n" + NOTE,
        b"old -1\n\n" + NOTE,
        b"old 3 \n\n" + NOTE,
        b"old  3\n\n" + NOTE,
        b"old 9223372036854775808\n\n" + NOTE,
        b"old 3\r\n\r\n" + NOTE,
        b"old 3\n" + HASH * 64 + b"\n" + NOTE,
        b"old 3\n" + HASH[:-2] + b"\n\n" + NOTE,
        b"old 3\n" + base64.b64encode(bytes(31)) + b"\n\n" + NOTE,
        b"old 3\n\xff\n\n" + NOTE,
        b"old 3\n\nno note\n",
        b"old 3\n\n" + NOTE[:-1],
        b"old 3\n\n" + NOTE + b"x" * MAX_BODY,
    ],
)
def test_other_forms_are_refused(body):
    with pytest.raises(Malformed):
        Submission.parse(body)


@given(st.binary(max_size=200))
def test_any_octets_are_refused_with_a_sentence(octets):
    with pytest.raises(Malformed):
        Submission.parse(b"old 5\n" + octets)


def test_a_logs_id_is_the_hash_of_its_origin():
    assert log_id("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
