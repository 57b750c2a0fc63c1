import asyncio
import json
import os

import pytest

from audit.clock import SystemClock
from audit.writer import Writer

WHO = f"uid:{os.geteuid()}"


async def ask(client, verb, subject="agent", wait="1", **args):
    posted = await client.post("/api/v1/requests", json={"verb": verb, "subject": subject, "args": args})
    assert posted.status_code == 202
    return (await client.get(f"{posted.headers['location']}?wait={wait}")).json()


async def test_a_post_becomes_a_request_and_its_answer_can_be_fetched(fake, listen):
    async with listen(fake) as client:
        said = await ask(client, "pause", "program:api")
        again = await ask(client, "resume", "http:front")
    assert (said["answer"], said["verb"], said["subject"]) == ("accepted", "pause", "program:api")
    assert fake.core.desk.memory.modes == {"program:api": "observe"}
    assert again["answer"] == "refused"
    assert "is not paused" in again["because"]


async def test_the_api_cannot_raise_a_mode(fake, listen):
    async with listen(fake) as client:
        said = await ask(client, "set-mode", mode="off")
        assert said["answer"] == "accepted"
        assert (await ask(client, "set-mode", mode="wild"))["answer"] == "refused"
    assert fake.core.desk.memory.modes["agent"] == "off"


async def test_a_request_nobody_answers_is_pending(fake, listen):
    fake.silent = True
    async with listen(fake) as client:
        assert (await ask(client, "pause", wait="0"))["answer"] == "pending"


@pytest.mark.parametrize(
    "said",
    [{}, {"verb": "destroy"}, {"verb": 1}, {"verb": "pause", "subject": ""}, {"verb": "pause", "subject": "x" * 300},
     {"verb": "pause", "subject": ["a"]}, {"verb": "pause", "args": []}, {"verb": "pause", "who": "uid:0"}],
)  # fmt: skip
async def test_a_request_that_is_none_is_a_400_and_reaches_nobody(fake, listen, said):
    async with listen(fake) as client:
        reply = await client.post("/api/v1/requests", json=said)
    assert reply.status_code == 400
    assert not [heard for heard in fake.bus.ring if heard.topic == "request.answered"]


@pytest.mark.parametrize("wait", ["-1", "61", "nan", "inf", "x", "1e9"])
async def test_waiting_is_bounded(fake, listen, wait):
    async with listen(fake) as client:
        posted = await client.post("/api/v1/requests", json={"verb": "pause"})
        assert (await client.get(f"{posted.headers['location']}?wait={wait}")).status_code == 400


async def test_a_request_of_somebody_else_is_not_found(fake, listen):
    async with listen(fake) as client:
        assert (await client.get("/api/v1/requests/q-99")).status_code == 404


async def test_a_reload_that_fails_tells_every_mistake(fake, listen):
    async with listen(fake) as client:
        reply = await client.post("/api/v1/reload")
    assert reply.status_code == 422
    assert len(reply.json()["problems"]) == 2


async def test_rebalance_and_verify_answer_what_the_agent_said(fake, listen):
    async with listen(fake) as client:
        assert (await client.post("/api/v1/rebalance")).json()["harmony"] == 90.0
        assert (await client.post("/api/v1/verify")).json()["verified"] is True


async def test_an_event_sealed_on_request_answers_with_its_entrys_place(fake, listen):
    """The double seals nothing, so the log is written here as the agent would: the event, then its request."""
    with Writer.open(fake.state_dir, node="here", clock=SystemClock()) as writer:
        common = {"v": 1, "ts": 1, "mono": 1, "boot": "b", "node": "here"}
        writer.submit([{**common, "kind": "lifecycle", "phase": "start", "version": "0"}]).result()
        async with listen(fake) as client:
            posted = await client.post(
                "/api/v1/requests", json={"verb": "log-event", "args": {"type": "user.login", "data": {"n": 1}}}
            )
            waiting = asyncio.ensure_future(client.get(f"{posted.headers['location']}?wait=1"))
            await asyncio.sleep(0.05)
            heard = next(one for one in fake.bus.ring if one.topic == "user.login")
            asked = next(one for one in fake.bus.ring if one.topic == "request.answered")
            writer.submit([dict(heard.data), dict(asked.data)]).result()
            entry = (await waiting).json()["entry"]
    assert entry["seq"] == 1
    assert len(entry["leaf"]) == 64
    assert json.dumps(entry)
