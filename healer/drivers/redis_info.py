"""What Redis' INFO says, read strictly: a figure is a number as Redis writes them, or it is not there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NUMBER = re.compile(r"-?\d{1,19}(?:\.\d{1,9})?", re.ASCII)
_LINE = re.compile(r"([A-Za-z0-9_.-]{1,64}):(.{0,4096})", re.ASCII)
_MOST_LINES = 20_000
_RUN_ID = re.compile(r"[0-9a-f]{40}", re.ASCII)
_VERSION = re.compile(r"(\d{1,4})(?:\.\d{1,6}){1,3}", re.ASCII)
_REPLICA = re.compile(r"slave\d{1,4}", re.ASCII)
_DATABASE = re.compile(r"db(\d{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A replica, as its master sees it."""

    name: str
    """``address:port``."""
    online: bool
    offset: float | None
    """How much of the stream it has confirmed, in octets."""
    lag: float | None
    """Seconds since it last confirmed anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """The lines of an INFO, by name."""

    lines: Mapping[str, str]

    def number(self, name: str) -> float | None:
        """A figure; None where it is missing or no number."""
        return number(self.lines.get(name, ""))

    def word(self, name: str) -> str:
        """A word; empty where it is missing."""
        return self.lines.get(name, "")

    def flag(self, name: str, good: str) -> float | None:
        """Whether it says this word; None where it says nothing."""
        said = self.lines.get(name)
        return None if said is None else float(said == good)

    @property
    def generation(self) -> str:
        """Its run id, another one after each start; empty where it is none."""
        found = self.word("run_id")
        return found if _RUN_ID.fullmatch(found) else ""

    @property
    def version(self) -> str:
        """As it writes it; empty where it is none."""
        found = self.word("redis_version")
        return found if _VERSION.fullmatch(found) else ""

    @property
    def major(self) -> int:
        """First part of the version; 0 where there is none."""
        return int(self.version.partition(".")[0] or 0)

    @property
    def role(self) -> str:
        """master, replica or sentinel; empty where it says something else."""
        if self.word("redis_mode") == "sentinel":
            return "sentinel"
        return {"master": "master", "slave": "replica"}.get(self.word("role"), "")

    @property
    def replicas(self) -> list[Replica]:
        """Those connected to it."""
        found = [_fields(text) for name, text in self.lines.items() if _REPLICA.fullmatch(name)]
        return [
            Replica(
                name=f"{each.get('ip', '')}:{each.get('port', '')}", online=each.get("state") == "online",
                offset=number(each.get("offset", "")), lag=number(each.get("lag", "")),
            )
            for each in found
        ]  # fmt: skip

    @property
    def databases(self) -> dict[str, float | None]:
        """Keys by database; those that are empty are not told."""
        return {
            found[1]: number(_fields(text).get("keys", ""))
            for name, text in self.lines.items()
            if (found := _DATABASE.fullmatch(name))
        }


def read_info(reply: object) -> Info:
    """The lines of a reply; what is no line of an INFO is left out. Never raises."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else ""
    found: dict[str, str] = {}
    for line in text.split("\n", _MOST_LINES)[:_MOST_LINES]:
        if match := _LINE.fullmatch(line.rstrip("\r")):
            found.setdefault(match[1], match[2])
    return Info(lines=found)


def number(text: str) -> float | None:
    """A number as Redis writes them; None for anything else (``nan``, ``1e5``, `` 7``)."""
    return float(text) if _NUMBER.fullmatch(text) else None


def _fields(text: str) -> dict[str, str]:
    """``a=1,b=2``."""
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)
