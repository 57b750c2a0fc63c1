"""RabbitMQ by its management interface, over the one HTTP client; answers are read strictly, and are bounded.

A connection is not kept: a fresh one shows that the node still takes it. Source: the HTTP API of RabbitMQ's management
plugin, versions 3.8 to 4.
"""

import base64
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, urlencode

from healer.clock import Clock
from healer.drivers.http import Http, HttpError, Reply
from healer.drivers.interface import Driver, DriverError, DriverStatus
from healer.drivers.visits import Visits
from healer.errors import HealerError
from healer.model.target import Target
from healer.yamldoc.secret import Secret

MOST = 4 << 20
"""Octets of an answer."""
MOST_QUEUES = 100
"""Declared queues, once their patterns are matched; more, and nothing is told of any."""
MOST_CONNECTIONS = 500
"""Connections listed at once."""
OLDEST = (3, 8)
_SLACK = 15.0
"""Seconds by which two computations of a node's start may differ: it gathers its figures every five, clocks drift, and
replies take their time."""
_LARGEST = 1e18
"""What is more is a parser's accident, not a figure."""
_GUEST = "guest"
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})[A-Za-z0-9.+~-]{0,40}", re.ASCII)
_HINT_LOGIN = "look at username and password; guest may log in on the node's own host only"
_HINT_RIGHTS = "see docs/kinds/rabbitmq.md for the rights it needs"
_NODE = (
    "name", "running", "uptime", "os_pid", "partitions", "mem_used", "mem_limit", "mem_alarm", "disk_free",
    "disk_free_alarm", "fd_used", "fd_total", "sockets_used", "sockets_total", "proc_used", "proc_total",
)  # fmt: skip
_OVERVIEW = ("node", "rabbitmq_version", "rates_mode", "object_totals", "queue_totals", "message_stats")
_RATES = ("publish_details", "deliver_get_details", "redeliver_details")
Json = Mapping[str, Any]


class RabbitError(DriverError):
    """The node, or the way to it, said no. ``status`` is that of its reply; 0 where there was none."""

    def __init__(
        self, message: str, *, hint: str = "", fact: bool = False, sent: bool = False, status: int = 0
    ) -> None:
        super().__init__(message, hint=hint, fact=fact, sent=sent)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the management interface is, and who we are there."""

    url: str
    username: str = _GUEST
    password: Secret | None = None
    """Read at each request; None: guest's own, which everybody knows."""
    verify: bool = True
    node: str = ""
    """Which node of the cluster; empty: the one that answers."""
    vhost: str = "/"

    @classmethod
    def of(cls, target: Target) -> Self:
        """The place its keys name."""
        spec = target.spec
        return cls(
            url=str(spec.get("url") or "http://127.0.0.1:15672").rstrip("/"),
            username=str(spec.get("username") or _GUEST), password=spec.get("password"),
            verify=bool(spec.get("verify_tls", True)), node=str(spec.get("node") or ""),
            vhost=str(spec.get("vhost") or "/"),
        )  # fmt: skip

    def authorization(self) -> str:
        """For the header; raises RabbitError where the secret cannot be read."""
        try:
            password = _GUEST if self.password is None else self.password.reveal(os.environ)
        except HealerError as exc:
            raise RabbitError(exc.message, hint=exc.hint) from exc
        return "Basic " + base64.b64encode(f"{self.username}:{password}".encode()).decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node, and what its cluster says in sum."""

    overview: Json
    node: Json
    took: float
    """Seconds until the overview had come."""

    @property
    def name(self) -> str:
        """Its name: ``rabbit@host``."""
        return str(self.node["name"])

    @property
    def running(self) -> bool:
        """The cluster counts it among the living."""
        return self.node.get("running") is True

    @property
    def version(self) -> str:
        """As it writes it."""
        return str(self.overview["rabbitmq_version"])


class RabbitMQ(Driver):
    """One node. ``timeout`` in seconds bounds each request."""

    def __init__(self, name: str, place: Place, http: Http, clock: Clock, *, timeout: float = 5.0) -> None:
        self.name = name
        self.place = place
        self._http = http
        self._clock = clock
        self._timeout = timeout
        self._visits = Visits(name, clock)
        self._born: tuple[str, float, float, str] | None = None
        """Node and process, how long it had been up, boot-clock second of its start, and the word for it."""

    # ----------------------------------------------------------------------------------------- questions

    async def look(self) -> Node:
        """The node, now; raises RabbitError."""
        start = self._clock.now()
        overview = _object(await self._get("overview", columns=",".join(_OVERVIEW)), "node", "rabbitmq_version")
        took = self._clock.now() - start
        _check_version(str(overview["rabbitmq_version"]))
        name = self.place.node or str(overview["node"])
        try:
            node = _object(await self._get(f"nodes/{_part(name)}", columns=",".join(_NODE)), "name")
        except RabbitError as exc:
            if exc.status in (404, 500) and self.place.node:  # it answers 500 for a node it has never heard of
                raise RabbitError(f"its cluster knows no node {name}", hint="rabbitmqctl cluster_status") from exc
            raise
        return Node(overview=overview, node=node, took=took)

    def generation(self, seen: Node) -> str:
        """The word for its present start; empty where it does not run, or does not say since when.

        A node tells how long it has been up, not since when: computed anew it would differ by a second now and then.
        """
        uptime, pid = number(seen.node, "uptime"), str(seen.node.get("os_pid") or "")
        if uptime is None or not seen.running:
            return ""
        start, who = self._clock.now() - uptime / 1000.0, f"{seen.name}.{pid}"
        word = f"{who}.{round(self._clock.wall() - uptime / 1000.0)}"
        if self._born is not None:
            before, up, began, known = self._born
            # In a container each start has the same process id: one that has been up for less than before is another.
            word = known if before == who and uptime >= up and abs(start - began) < _SLACK else word
        self._born = (who, uptime, start, word)
        return word

    async def queues(self, patterns: Sequence[str]) -> Mapping[str, Json]:
        """Queues of the virtual host that match (``*`` and ``?``), by name; raises RabbitError.

        How many messages they hold is of this moment, consumers and rates are as old as the node's statistics.
        """
        totals = await self._list_queues(
            patterns, disable_stats="true", enable_queue_totals="true",
            columns="name,state,messages,messages_ready,messages_unacknowledged",
        )  # fmt: skip
        rates = ",".join(f"message_stats.{name}.rate" for name in _RATES)
        more = await self._list_queues(patterns, columns=f"name,consumers,message_stats.publish,{rates}")
        return {name: {**more.get(name, {}), **found} for name, found in totals.items()}

    async def _list_queues(self, patterns: Sequence[str], **query: str) -> Mapping[str, Json]:
        reply = await self._get(
            f"queues/{_part(self.place.vhost)}", page="1", page_size=str(MOST_QUEUES), use_regex="true",
            name=f"^(?:{'|'.join(map(_regex, patterns))})$", **query,
        )  # fmt: skip
        return {str(each["name"]): each for each in _page(reply, "queues")}

    async def connections(self) -> Sequence[Json]:
        """Client connections of its cluster; raises RabbitError where there are too many to list."""
        columns = "name,user,user_provided_name,vhost,node,connected_at,state"
        return _page(
            await self._get("connections", page="1", page_size=str(MOST_CONNECTIONS), columns=columns), "connections"
        )

    async def connected(self, name: str) -> bool:
        """Whether there is a connection of this name that was not told to end; raises RabbitError.

        One whose client does not say goodbye in its turn is kept for half a minute, without channels, as ``closed``.
        """
        try:
            found = await self._get(f"connections/{_part(name)}", columns="name,state")
        except RabbitError as exc:
            if exc.status == 404:
                return False
            raise
        return not is_ended(_object(found, "name"))

    # -------------------------------------------------------------------------------------------- orders

    async def disconnect(self, name: str, because: str) -> bool:
        """End a connection; False where there was none. Raises RabbitError (``sent``: it may have happened)."""
        try:
            await self._ask("DELETE", f"connections/{_part(name)}", headers={"x-reason": because})
        except RabbitError as exc:
            if exc.status == 404:
                return False
            raise
        return True

    async def purge(self, queue: str) -> None:
        """Throw away what is ready in a queue; raises RabbitError."""
        await self._ask("DELETE", f"queues/{_part(self.place.vhost)}/{_part(queue)}/contents")

    # ---------------------------------------------------------------------------------------- connection

    def status(self) -> DriverStatus:
        """How it went the last time."""
        return self._visits.status

    async def health(self) -> None:
        """Ask for its name."""
        await self._get("overview", columns="node")

    async def close(self) -> None:
        """Nothing is held between two requests."""
        self._visits.end()

    async def _get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON of any shape
        reply = await self._ask("GET", f"{path}?{urlencode(query)}")
        try:
            return json.loads(reply.body)  # what was cut at the bound is not whole either
        except (ValueError, RecursionError) as exc:
            failed = RabbitError(f"what answers at {self.place.url} is not RabbitMQ's management", fact=True, sent=True)
            self._visits.failed(failed.message)
            raise failed from exc

    async def _ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None) -> Reply:
        given = {"authorization": self.place.authorization(), **(headers or {})}
        try:
            reply = await self._http.ask(
                f"{self.place.url}/api/{path}", method=method, headers=given, timeout=self._timeout, most=MOST,
                redirects=0, verify=self.place.verify,
            )  # fmt: skip
        except HttpError as exc:
            # A certificate that is not trusted leaves open who answered, and how RabbitMQ is.
            failed = RabbitError(exc.message, hint=exc.hint, fact=exc.fact and exc.kind != "tls", sent=exc.sent)
            self._visits.failed(failed.message)
            raise failed from exc
        if not 200 <= reply.status < 300:
            raise self._refused(reply)
        self._visits.answered()
        return reply

    def _refused(self, reply: Reply) -> RabbitError:
        reason = _reason(reply.body)
        text = f"{self.place.url} answered {reply.status}" + (f": {reason}" if reason else "")
        denied = reply.status in (401, 403)
        hint = (_HINT_LOGIN if "login" in reason.lower() else _HINT_RIGHTS) if denied else ""
        if reply.status >= 500:
            self._visits.failed(text)
        return RabbitError(text, hint=hint, fact=reply.status >= 500, sent=reply.status >= 500, status=reply.status)


def is_ended(connection: Json) -> bool:
    """It was told to end, whatever its client does."""
    return connection.get("state") in ("closing", "closed")


def number(found: object, *path: str) -> float | None:
    """A number at the end of a path of names; None where there is none (a text, a flag, something else)."""
    value = raw(found, *path)
    fits = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
    return float(value) if fits else None


def raw(found: object, *path: str) -> Any:  # noqa: ANN401 - JSON of any shape
    """What stands at the end of a path of names; None where it does not lead there."""
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def _object(found: object, *needed: str) -> Json:
    """An object with these texts in it; raises RabbitError."""
    if not isinstance(found, Mapping) or not all(isinstance(found.get(name), str) for name in needed):
        raise RabbitError("what answers is not RabbitMQ's management", fact=True, sent=True)
    return found


def _page(found: object, what: str) -> list[Json]:
    """The items of a page that is the only one; raises RabbitError."""
    items = found.get("items") if isinstance(found, Mapping) else None
    if not isinstance(items, list):
        raise RabbitError(f"its list of {what} is none", fact=True, sent=True)
    count = number(found, "filtered_count") or 0
    if count > len(items):
        raise RabbitError(
            f"{count:g} {what} are more than can be listed", hint="name fewer" if what == "queues" else ""
        )
    return [each for each in items if isinstance(each, Mapping) and isinstance(each.get("name"), str)]


def _check_version(text: str) -> None:
    found = _VERSION.fullmatch(text)
    if found is None:
        raise RabbitError(f"'{text[:40]}' is no version of RabbitMQ", fact=True, sent=True)
    if (int(found[1]), int(found[2])) < OLDEST:
        raise RabbitError(f"RabbitMQ {text} is older than what is known here", hint="3.8 is the oldest")


def _part(name: str) -> str:
    """A name as a part of a path; ``.`` and ``..`` would be other paths."""
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _regex(pattern: str) -> str:
    """A pattern with ``*`` and ``?`` as the node's regular expressions have it."""
    return "".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in pattern)


def _reason(body: bytes) -> str:
    """What an error reply says, in one line; empty where it says nothing that can be read."""
    try:
        found = json.loads(body[:4096])
    except (ValueError, RecursionError):
        return ""
    reason = found.get("reason") if isinstance(found, dict) else None
    return " ".join(reason.split())[:200] if isinstance(reason, str) else ""
