import pytest
from starlette.routing import Route

from healer.api.app import build, routes


@pytest.mark.parametrize(
    "path",
    ["status", "health", "health/agent", "health/rules", "health/audit", "organs", "targets", "targets/program:api",
     "incidents", "rules", "rules/api-down/explain", "metrics", "events", "reflect", "openapi.json"],
)  # fmt: skip
async def test_documented_paths_answer_json(fake, listen, path):
    async with listen(fake) as client:
        reply = await client.get(f"/api/v1/{path}")
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/json"
    assert isinstance(reply.json(), dict)


async def test_seven_organs_and_harmony_with_its_deductions_are_shown(fake, listen):
    async with listen(fake) as client:
        found = (await client.get("/api/v1/status")).json()
    assert [organ["name"] for organ in found["organs"]] == [
        "brain", "heart", "lungs", "stomach", "muscles", "immune", "nervous",
    ]  # fmt: skip
    assert found["harmony"] == 100.0
    assert found["deductions"] == []


async def test_what_is_not_there_and_what_is_not_allowed_are_problems(fake, listen):
    async with listen(fake) as client:
        missing = await client.get("/api/v1/nothing")
        wrong = await client.delete("/api/v1/status")
        posted = await client.post("/api/v1/status", json={})
    for reply, status in ((missing, 404), (wrong, 405), (posted, 405)):
        assert reply.status_code == status
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["status"] == status
    assert "GET" in wrong.headers["allow"]


async def test_a_bug_is_a_500_without_its_traceback(fake, listen, caplog):
    fake.broken = ZeroDivisionError("secret detail")
    async with listen(fake) as client:
        reply = await client.get("/api/v1/status")
    assert reply.status_code == 500
    assert "secret" not in reply.text
    assert "Traceback" not in reply.text
    assert "secret detail" in caplog.text  # our own log says why


async def test_no_page_of_a_browser_is_invited(fake, listen):
    async with listen(fake) as client:
        reply = await client.options("/api/v1/requests", headers={"origin": "http://evil.example"})
        read = await client.get("/api/v1/status", headers={"origin": "http://evil.example"})
    assert reply.status_code == 405
    assert not [name for name in {**reply.headers, **read.headers} if name.startswith("access-control")]


def test_every_path_is_a_plain_route(fake):
    assert all(isinstance(route, Route) for route in routes(fake))
    assert build(fake).routes
