"""What HAProxy's stats socket answers, read into nouns: CSV by the names in its header, never by position.

Formats: HAProxy Management Guide, "CSV format" and "show servers state" (its version 1).
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

READY, DRAIN, MAINT = "ready", "drain", "maint"
DENIED = "Permission denied"
_ABSENT = ("No such proxy", "No such backend", "No such server", "Can't find backend", "Can't find server")
_IN_MAINTENANCE = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
"""Bits of ``srv_admin_state``: ordered, inherited, configured, without an address, without a name."""
_DRAINED = 0x08 | 0x10
"""Bits of ``srv_admin_state``: ordered to drain, or by the server that it tracks."""
_LEAVING = "3"
_RUNNING = ("1", "2", _LEAVING)
"""Of ``srv_op_state``: warming up, running, stopping softly."""


class Row(Mapping[str, str]):
    """One line of a table, by the names of its columns. Not a dict: a thousand servers have 130 columns each."""

    __slots__ = ("_columns", "_fields")

    def __init__(self, columns: Mapping[str, int], fields: Sequence[str]) -> None:
        self._columns = columns
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        return self._fields[self._columns[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


class Garbage(Exception):
    """An answer that is none of HAProxy's, or was cut off."""


class Absent(Exception):
    """HAProxy answers, and knows no such backend or server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The HAProxy that answered."""

    generation: str
    """``pid.start``: a reload is another process."""
    figures: Mapping[str, str]
    """As ``show info`` names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server of a backend."""

    name: str
    generation: str
    """Of its process, with its number and its address there: one deleted and added again is another."""
    admin: str
    """What people or we ordered: ready, drain or maint."""
    status: str
    """What HAProxy makes of it, in its own word and lower case: up, down, drain, maint, nolb or no check."""
    running: bool
    """HAProxy takes it for able to serve."""
    leaving: bool
    """It asks to be sent nothing new, and goes on with what it has (its check found 404, and that means so)."""
    weight: int
    """As ordered, 0 to 256."""
    initial: int
    """The weight of its configuration."""
    row: Mapping[str, str]
    """Its line of ``show stat``."""

    @property
    def available(self) -> bool:
        """New requests can be sent to it."""
        return self.running and not self.leaving and self.admin == READY and self.weight > 0

    @property
    def unjudged(self) -> str:
        """Why nobody can tell whether it is well; empty when HAProxy checks it."""
        if self.admin == MAINT:
            return "it is in maintenance, and not checked"
        if self.status == "no check":
            return "HAProxy does not check it (the word `check` in its configuration)"
        if self.row.get("check_status", "").lstrip("* ") == "INI":
            return "its first check has not come back"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One backend, all of one answer."""

    name: str
    process: Process
    generation: str
    row: Mapping[str, str]
    """Its own line of ``show stat``."""
    servers: Sequence[Server]

    def server(self, name: str) -> Server:
        """The server of this name; raises Absent."""
        for server in self.servers:
            if server.name == name:
                return server
        raise Absent(f"backend {self.name} has no server {name}")

    def others(self, name: str) -> int:
        """How many servers beside this one can be sent requests."""
        return sum(server.available for server in self.servers if server.name != name)


def whole(octets: bytes) -> Sequence[str]:
    """The sections of an answer, one per command; raises Garbage where its end is missing."""
    text = octets.decode("utf-8", "replace")
    if text != "\n" and not text.endswith("\n\n"):  # an order that was taken is answered by an empty line
        raise Garbage("the answer was cut off")
    return [section for section in text.split("\n\n") if section.strip()]


def read_process(section: str) -> Process:
    """What ``show info`` says; raises Garbage."""
    figures = {
        name: value.strip() for name, found, value in (line.partition(":") for line in section.split("\n")) if found
    }
    if figures.get("Name") != "HAProxy" or not figures.get("Pid", "").isdecimal():
        raise Garbage(f"no answer of HAProxy's: {section[:60]!r}")
    # Its start in seconds since 1970 came with 2.4; before, the pid alone has to do.
    return Process(generation=f"{figures['Pid']}.{figures.get('Start_time_sec', '')}", figures=figures)


def read_backend(name: str, sections: Sequence[str]) -> Backend:
    """What ``show info``, ``show stat`` and ``show servers state`` say of a backend; raises Garbage, Absent."""
    if len(sections) != 3:
        raise Garbage(f"three answers were expected, {len(sections)} came")
    process = read_process(sections[0])
    for section in sections[1:]:
        refused(section)
    states = {row["srv_name"]: row for row in _states(sections[2])}
    rows = {row.get("svname", ""): row for row in _statistics(sections[1])}
    own = rows.pop("BACKEND", None)
    if own is None or rows.keys() != states.keys():
        raise Garbage("statistics and states do not tell of the same servers")
    servers = [_server(process, row, states[server]) for server, row in rows.items()]
    generation = f"{process.generation}.{own.get('iid', '')}"
    return Backend(name=name, process=process, generation=generation, row=own, servers=servers)


def refused(section: str) -> str:
    """What HAProxy said instead of doing it; raises Absent where it knows no such thing."""
    said = section.strip().partition("\n")[0]
    if said.startswith(_ABSENT):
        raise Absent(said.rstrip("."))
    return said


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], what: str) -> Sequence[Row]:
    if any(len(row) != len(names) for row in rows):
        raise Garbage(f"a line of the {what} has not as many fields as their header")
    columns = {name: number for number, name in enumerate(names)}
    return [Row(columns, row) for row in rows]


def _statistics(section: str) -> Sequence[Row]:
    lines = section.strip("\n").split("\n")
    if not lines[0].startswith("# pxname,svname,"):
        raise Garbage(f"no statistics: {lines[0][:60]!r}")
    names = lines[0].removeprefix("# ").split(",")
    return _table(names, list(csv.reader(lines[1:])), "statistics")


def _states(section: str) -> Sequence[Row]:
    version, _, rest = section.strip("\n").partition("\n")
    lines = rest.split("\n")
    names = lines[0].removeprefix("# ").split(" ")
    if version != "1" or "srv_admin_state" not in names or "srv_name" not in names:
        raise Garbage(f"no states of version 1: {section[:60]!r}")
    return _table(names, [line.split(" ") for line in lines[1:] if line], "states")


def _server(process: Process, row: Row, state: Row) -> Server:
    try:
        admin, weight, initial = (int(state[key]) for key in ("srv_admin_state", "srv_uweight", "srv_iweight"))
    except (KeyError, ValueError) as exc:
        raise Garbage(f"a state nobody can read: {exc}") from exc
    return Server(
        name=state["srv_name"],
        generation=f"{process.generation}.{state.get('be_id', '')}.{state.get('srv_id', '')}.{row.get('addr', '')}",
        admin=MAINT if admin & _IN_MAINTENANCE else DRAIN if admin & _DRAINED else READY,
        status=status(row.get("status", "")),
        running=state.get("srv_op_state") in _RUNNING,
        leaving=state.get("srv_op_state") == _LEAVING,
        weight=weight,
        initial=initial,
        row=row,
    )


def status(text: str) -> str:
    """HAProxy's word without how far it is (``UP 1/2``) and by whose doing (``MAINT (via web/a)``), in lower case."""
    return "no check" if text == "no check" else text.partition(" ")[0].lower()
