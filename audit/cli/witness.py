"""``witness``: the commands of those who remember other logs' heads."""

from audit.cli.options import Commands


def add(commands: Commands) -> None:
    """Add ``witness`` with its own commands."""
    from audit.witness.cli import add_commands

    what = "remember other logs' heads, and sign for them"
    add_commands(commands.add_parser("witness", help=what, description=f"{what.capitalize()}."))
