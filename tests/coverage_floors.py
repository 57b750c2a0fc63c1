"""Hold the coverage floors: 95 % where a mistake does harm, 85 % elsewhere, lines and branches alike."""

import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePath

STRICT = 95.0
USUAL = 85.0
STRICT_ROOMS = ("healer/core", "healer/gates", "healer/rules", "healer/runtime/dispatch", "audit")
"""Rooms where a line nobody ran may act wrongly or call a forged log proven."""


@dataclass(kw_only=True, slots=True)
class Room:
    """What the suite reached of one room."""

    lines: int = 0
    lines_hit: int = 0
    branches: int = 0
    branches_hit: int = 0

    def add(self, summary: dict[str, int]) -> None:
        """Count one more file."""
        self.lines += summary["num_statements"]
        self.lines_hit += summary["covered_lines"]
        self.branches += summary["num_branches"]
        self.branches_hit += summary["covered_branches"]

    @property
    def line_share(self) -> float:
        """Percent of lines reached; a room without any is complete."""
        return 100 * self.lines_hit / self.lines if self.lines else 100.0

    @property
    def branch_share(self) -> float:
        """Percent of branches taken; a room without any is complete."""
        return 100 * self.branches_hit / self.branches if self.branches else 100.0


def room_of(path: str) -> tuple[str, float]:
    """Name the room a file is counted in, and its floor."""
    parts = PurePath(path).with_suffix("").parts
    for room in STRICT_ROOMS:
        if parts[: room.count("/") + 1] == tuple(room.split("/")):
            return room, STRICT
    return "the rest", USUAL


def measure(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[tuple[str, float], Room]:
    """Sum coverage.py's JSON report by room."""
    rooms: dict[tuple[str, float], Room] = defaultdict(Room)
    for path, facts in report["files"].items():
        rooms[room_of(path)].add(facts["summary"])
    return dict(rooms)


def main() -> int:
    """Print the table; 1 when a room is below its floor, or when nothing was measured."""
    asked = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", "-"]
    answer = subprocess.run(asked, stdout=subprocess.PIPE, check=False)
    if answer.returncode != 0:
        print("coverage has nothing to report: did the suite run?", file=sys.stderr)
        return 1
    rooms = measure(json.loads(answer.stdout))
    below = [name for (name, floor), room in rooms.items() if min(room.line_share, room.branch_share) < floor]
    print(f"{'coverage':<26}{'lines':>9}{'branches':>10}{'floor':>8}")
    for (name, floor), room in sorted(rooms.items()):
        mark = "  BELOW" if name in below else ""
        print(f"{name:<26}{room.line_share:>8.1f}%{room.branch_share:>9.1f}%{floor:>7.0f}%{mark}")
    return 1 if below or not rooms else 0


if __name__ == "__main__":
    sys.exit(main())
