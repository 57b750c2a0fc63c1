"""The clients of an orchestrator as targets: whoever is named, and where it answers as far as anybody said."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from healer.errors import HealerError
from healer.importing import nodes
from healer.importing.harvest import Harvest, Made, name, slug
from healer.yamldoc.mark import Mark
from healer.yamldoc.node import Node, Table

NOWHERE = ".invalid"
"""No address: a name that nobody can have (RFC 2606), so that nothing is asked by accident."""
UNKNOWN = (
    "whom it means is not known: import the orchestrator's configuration (clients:) too, or say --client NAME=URL@GROUP"
)
_TOLD = re.compile(
    r"(?P<name>[\w.-]{1,100})(?:=(?P<url>https?://(?:[\w.-]{1,200}|\[[0-9a-fA-F:.]{2,60}\])(?::[0-9]{1,5})?))?"
    r"(?:@(?P<group>[\w.-]{1,100}))?"
)
_JSON = {"state": "fsm_state", "error": "error", "message": "error_message"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One component that has a state and takes commands."""

    name: str
    url: str
    group: str
    mark: Mark

    @property
    def target(self) -> str:
        """Its id here."""
        return f"http:{name(self.name)}"

    @property
    def known(self) -> bool:
        """Whether anybody said where it answers."""
        return NOWHERE not in self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A client that somebody named on the command line."""

    name: str
    url: str
    group: str


def told(text: str) -> Told:
    """``NAME``, ``NAME=URL``, ``NAME@GROUP`` or ``NAME=URL@GROUP``; raises HealerError."""
    found = _TOLD.fullmatch(text)
    if found is None:
        raise HealerError(f"{text[:80]!r} is no client", hint="NAME=http://HOST:PORT@GROUP; = and @ may be left out")
    return Told(name=found["name"], url=found["url"] or "", group=found["group"] or "")


class Clients:
    """All clients that are known by name: of a configuration, of the command line, and of the scenarios."""

    def __init__(self, harvest: Harvest, roots: Sequence[Node], told: Sequence[Told] = ()) -> None:
        self._harvest = harvest
        self._found: dict[str, Client] = {}
        for one in told:
            self._add(one.name, one.url, one.group, Mark(file="--client"))
        for root in roots:
            for entry in nodes.entries(nodes.get(root, "clients")):
                self._configured(entry.key, entry.node)
        self._complete = bool(self._found)
        """Whether anybody said who they all are; those that scenarios happen to name are not all."""
        for root in roots:
            for table in nodes.objects(root):
                self._named(table)

    def _configured(self, called: str, node: Node) -> None:
        address = nodes.text(nodes.get(node, "address", "host"))
        port = nodes.number(nodes.get(node, "port"))
        url = f"http://{address}:{int(port)}" if re.fullmatch(r"[\w.-]+", address) and port and port < 65536 else ""
        self._add(called, url, nodes.text(nodes.get(node, "group")), node.mark)
        because = f"http:{name(called)}; its state is read from {_JSON['state']} of the JSON at /state: adjust it"
        self._harvest.changed(node.mark, f"the client {called}", because)

    def _named(self, table: Table) -> None:
        held = nodes.get(table, "client")
        called = nodes.text(held)
        if held is not None and called and "{{" not in called:
            self._add(called, "", "", held.mark)

    def _add(self, called: str, url: str, group: str, mark: Mark) -> None:
        if called not in self._found:
            place = url or f"http://{slug(called) or 'client'}{NOWHERE}"
            self._found[called] = Client(name=called, url=place, group=group, mark=mark)

    def chosen(self, node: Node) -> list[Client]:
        """Those that ``target: @all``, ``client``, ``group`` or ``groups`` of an action select, in their order."""
        if nodes.text(nodes.get(node, "target")) == "@all":
            return self.all()
        if called := nodes.text(nodes.get(node, "client")):
            return [self._found[called]] if called in self._found else []
        groups = {nodes.text(nodes.get(node, "group"))} | {
            nodes.text(x) for x in nodes.items(nodes.get(node, "groups"))
        }
        return [client for client in self._found.values() if client.group and client.group in groups]

    def all(self, without: Sequence[str] = ()) -> list[Client]:
        """All, but for some; none where nobody said who they are."""
        if not self._complete:
            return []
        return [client for client in self._found.values() if client.name not in without]

    def declare(self, clients: Sequence[Client]) -> None:
        """Propose them as targets."""
        for client in clients:
            groups = ["clients", *([name(client.group)] if client.group else [])]
            body: dict[str, Any] = {
                "kind": "http", "name": name(client.name), "organ": "muscles", "groups": groups,
                "url": f"{client.url}/state", "json": dict(_JSON), "every": "5s",
            }  # fmt: skip
            says = [] if client.known else [f"put in the address of {client.name}: nobody can have this one"]
            self._harvest.target(Made(body=body, mark=client.mark, says=says))


def state(client: Client, states: Sequence[str]) -> str:
    """The condition that a client is in one of some states."""
    found = [f'http.state{{target="{client.target}"}} == {quoted(word)}' for word in states]
    return found[0] if len(found) == 1 else f"({' or '.join(found)})"


def quoted(text: str) -> str:
    """A text as an expression has it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def words(node: Node | None) -> Iterator[str]:
    """States of a list or of one text; one text may hold several, with commas between."""
    for one in nodes.items(node):
        yield from (word.strip() for word in nodes.text(one).split(",") if word.strip())


def event(client: Client, command: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The request that brings a command to a client."""
    sent = {"source": "healer", "destination": client.name, "event_type": command, "data": dict(data)}
    return {"call": {"url": f"{client.url}/event", "method": "POST", "json": sent}, "target": client.target}
