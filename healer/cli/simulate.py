"""``healer simulate``: the same agent through simulated disasters, by seed."""

from pathlib import Path

import click

from healer.cli.settings import Command, settings


@click.command(cls=Command)
@click.option("--seeds", type=click.IntRange(1), default=500, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(0), help="Only this one; repeats it to the letter.")
@click.option("--mutants", is_flag=True, help="Break the agent on purpose instead, and see each seeded bug noticed.")
def simulate(*, seeds: int, seed: int | None, mutants: bool) -> int:
    """Run the agent through simulated disasters; exit 1 where one of its laws was broken.

    A seed that fails is told with the command that repeats it. With --state-dir the logs are kept.
    """
    from healer.simulation import campaign

    if mutants:
        from healer.simulation import mutants as bugs

        return bugs.main(seeds=min(seeds, bugs.SEEDS), say=click.echo)
    given = settings()
    folder = Path(given.state_dir) if given.state_dir else None
    return campaign.main(seeds=seeds, seed=seed, as_json=given.json, state_dir=folder, say=click.echo)
