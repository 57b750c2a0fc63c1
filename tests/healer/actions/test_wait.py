"""Waiting ends when told, or with the step."""

from healer.actions.wait import Wait


async def test_it_never_waits_past_the_steps_timeout(order):
    assert (await Wait().act(order({"for": 3600.0}, timeout=0.01))).because == "waited 0.01 s"


def test_the_dry_run_says_how_long(order):
    assert Wait().would(order({"for": 5.0})) == "would wait 5 s"
