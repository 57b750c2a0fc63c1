"""``python -m healer.migrations STATE.DB``: what an agent has done at its start, so that Alembic never lives in it."""

import sys
from pathlib import Path

from healer.clock import SystemClock
from healer.errors import HealerError
from healer.migrations.run import upgrade
from healer.store.engine import DamagedError

REFUSED = 2
DAMAGED = 3


def main(path: str) -> int:
    """Upgrade, and say in one line why not."""
    try:
        upgrade(Path(path), now=SystemClock().wall())
    except HealerError as exc:
        print(exc, file=sys.stderr)  # noqa: T201 - the agent reads it
        return DAMAGED if isinstance(exc, DamagedError) else REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
