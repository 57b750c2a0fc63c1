"""Stop ends the whole target, by the incarnation that was judged."""

from healer.actions.owner import ProgramOwner
from healer.actions.stop import Stop


async def test_a_stopped_program_is_not_wanted_any_more(programs, order):
    generation = await programs.start("api")
    await Stop({"program": ProgramOwner(programs)}).act(order(generation=generation))
    assert programs.generation("api") == ""
    assert programs.waiting() == ()


def test_the_dry_run_is_a_sentence(order):
    assert Stop({}).would(order()) == "would stop program:api (it does not run)"
