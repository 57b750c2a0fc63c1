"""Start starts what does not run, and leaves alone what does."""

from healer.actions.owner import ProgramOwner
from healer.actions.start import Start


async def test_starting_says_whether_anything_was_done(programs, order):
    start = Start({"program": ProgramOwner(programs)})
    first = await start.act(order())
    again = await start.act(order(generation=first.generation))
    assert (first.because, again.because) == ("started program:api", "program:api runs already")
    assert first.generation == again.generation


def test_the_dry_run_knows_the_difference(order):
    assert "leave" in Start({}).would(order(generation="1.2"))
    assert Start({}).would(order()) == "would start program:api"
