import json

import pytest

from healer.api.problem import Json, on_bug, on_healer, on_http, on_problem, problem
from healer.errors import ConfigError, HealerError


def told(response) -> dict:
    return json.loads(response.body)


def test_a_problem_has_the_members_of_rfc_9457():
    made = problem(404, "not here", known=["a"])
    assert made.headers["content-type"] == "application/problem+json"
    assert told(made) == {
        "type": "about:blank", "title": "Not Found", "status": 404, "detail": "not here", "known": ["a"],
    }  # fmt: skip


async def test_configuration_mistakes_are_all_told():
    made = await on_healer(None, ConfigError("2 mistakes", problems=("a:1:1: x", "a:2:1: y")))
    assert made.status_code == 422
    assert told(made)["problems"] == ["a:1:1: x", "a:2:1: y"]


async def test_what_the_agent_cannot_do_now_is_a_503_with_its_hint():
    made = await on_healer(None, HealerError("no log", hint="look"))
    assert (made.status_code, told(made)["hint"]) == (503, "look")


@pytest.mark.parametrize("handler", [on_http, on_problem, on_healer, on_bug])
async def test_anything_else_is_our_fault_and_says_nothing_more(handler):
    made = await handler(None, ValueError("/secret/path"))
    assert made.status_code == 500
    assert b"secret" not in made.body


def test_a_number_that_is_none_is_never_sent():
    with pytest.raises(ValueError, match="JSON compliant"):
        Json({"a": float("nan")})
