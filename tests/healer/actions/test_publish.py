"""An event put on the bus says who caused it."""

import pytest

from healer.actions.publish import PublishAction
from healer.errors import ActionError, RefusedError
from tests.healer.actions.conftest import INTENT


async def test_the_event_carries_its_cause_and_nothing_overrides_that(order):
    told = []
    action = PublishAction(lambda *event: told.append(event))
    await action.act(order({"topic": "user.x", "data": {"a": 1, "intent": "forged"}}))
    assert told == [("user.x", {"a": 1, "target": "program:api", "rule": "web", "intent": INTENT})]
    assert action.would(order({"topic": "user.x"})) == "would publish user.x"


async def test_a_topic_the_bus_refuses_is_a_permanent_error(order):
    def refuse(*_):
        raise RefusedError("no such topic")

    with pytest.raises(ActionError, match="no such topic"):
        await PublishAction(refuse).act(order({"topic": ".."}))
