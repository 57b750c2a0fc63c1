"""``prune``, ``erase``, ``repair``: what keeps a log in shape, and changes no sealed octet."""

from audit import upkeep
from audit.cli.options import Commands


def add(commands: Commands) -> None:
    """Add the commands."""
    upkeep.add_commands(commands)
