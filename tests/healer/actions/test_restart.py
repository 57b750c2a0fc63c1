"""Restart replaces the incarnation that was judged, and no other."""

import pytest

from healer.actions.owner import ProgramOwner
from healer.actions.restart import Restart
from healer.drivers import processes
from healer.errors import ActionError
from tests.healer.actions.conftest import INTENT


async def test_a_dead_program_is_started_under_its_intent(programs, order):
    done = await Restart({"program": ProgramOwner(programs)}).act(order())
    assert done.generation == programs.generation("api") != ""
    assert programs.intents() == {INTENT: "api"}


async def test_a_living_one_is_replaced(programs, order):
    first = await programs.start("api")
    done = await Restart({"program": ProgramOwner(programs)}).act(order(generation=first))
    assert done.generation not in ("", first)
    assert processes.generation(int(first.split(".")[0])) == ""


async def test_one_that_came_back_meanwhile_is_left_alone(programs, order):
    first = await programs.start("api")
    with pytest.raises(ActionError, match="is another incarnation now") as caught:
        await Restart({"program": ProgramOwner(programs)}).act(order(generation=""))
    assert not caught.value.transient
    assert programs.generation("api") == first


async def test_a_kind_without_an_owner_is_refused(order):
    with pytest.raises(ActionError, match="nothing here can"):
        await Restart({}).act(order(kind="http"))


def test_the_dry_run_says_which_incarnation(order):
    assert Restart({}).would(order(generation="1.2")) == "would restart program:api (1.2)"
