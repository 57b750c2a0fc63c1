"""The wish for a mode is handed on, and its refusal comes back."""

import pytest

from healer.actions.set_mode import SetModeAction
from healer.errors import ActionError, RefusedError


async def test_the_wish_goes_to_its_owner_with_the_reason(order):
    asked = []
    action = SetModeAction(lambda *wish: asked.append(wish))
    await action.act(order({"mode": "observe"}))
    await action.act(order({"mode": "off", "subject": "rule:web"}))
    assert asked == [("program:api", "observe", "it is down"), ("rule:web", "off", "it is down")]
    assert action.would(order({"mode": "off"})) == "would ask for mode off of program:api"


async def test_a_refused_wish_is_a_permanent_error(order):
    def refuse(*_):
        raise RefusedError("a mode is only lowered", hint="change the configuration")

    with pytest.raises(ActionError, match="only lowered") as caught:
        await SetModeAction(refuse).act(order({"mode": "auto"}))
    assert not caught.value.transient
