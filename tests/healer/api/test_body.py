import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.api.body import MOST_DEPTH, MOST_OCTETS, parse
from healer.api.problem import ProblemError


@pytest.mark.parametrize(
    "octets",
    [b"{", b"[]", b'"x"', b"1", b"null", b"\xff\xfe", b'{"a":NaN}', b'{"a":Infinity}', b'{"a":1,"a":2}',
     b'{"a":"\\ud800"}', b"{} {}", b'{"a":' + b"9" * 5000 + b"}"],
)  # fmt: skip
def test_what_is_no_usable_json_object_is_a_400(octets):
    with pytest.raises(ProblemError) as found:
        parse(octets)
    assert found.value.status == 400


@pytest.mark.parametrize("count", [MOST_DEPTH + 1, 30_000])
def test_nesting_is_bounded(count):
    with pytest.raises(ProblemError, match="nested deeper"):
        parse(b'{"a":' + b"[" * count + b"]" * count + b"}")


def test_nesting_up_to_the_bound_is_taken():
    inner = MOST_DEPTH - 1
    assert parse(b'{"a":' + b"[" * inner + b"]" * inner + b"}")


@given(st.binary(max_size=200))
def test_no_octets_make_it_raise_anything_else(octets):
    with contextlib.suppress(ProblemError):
        assert isinstance(parse(octets), dict)


@given(st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)))
def test_plain_objects_come_back_as_they_are(value):
    assert parse(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")) == value


async def test_a_body_that_is_too_large_is_a_413(fake, listen):
    async with listen(fake) as client:
        told = await client.post("/api/v1/requests", content=b" " * (MOST_OCTETS + 1))

        async def chunks():
            for _ in range(20):
                yield b" " * 8192

        streamed = await client.post("/api/v1/requests", content=chunks())
    assert told.status_code == 413
    assert streamed.status_code == 413


async def test_what_a_web_page_may_send_unasked_is_refused(fake, listen):
    async with listen(fake) as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            reply = await client.post("/api/v1/requests", content=b'{"verb":"pause"}', headers={"content-type": kind})
            assert reply.status_code == 415
    assert not fake.core.desk.memory.modes
