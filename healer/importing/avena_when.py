"""Conditions of avena_commons' scenarios: states of clients, messages, time, tables, and what joins them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from healer.importing import nodes, sqltext
from healer.importing.avena_clients import UNKNOWN, Clients, quoted, state, words
from healer.importing.harvest import Fate, Harvest, Made, name, slug
from healer.yamldoc.mark import Mark
from healer.yamldoc.node import Entry, Node, Table

JOINS: Mapping[str, str] = {"and": "all", "or": "any", "nand": "not_all", "nor": "none", "xor": "xor", "not": "not"}
KINDS = frozenset({"client_state", "error_message", "time", "database", "database_list", "virtual_device_error",
                   "aps_database"})  # fmt: skip
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")
_CRON = ("minute", "hour", "day", "month", "day_of_week")
_DAYS = {"monday": "mon", "tuesday": "tue", "wednesday": "wed", "thursday": "thu", "friday": "fri", "saturday": "sat",
         "sunday": "sun"}  # fmt: skip


SCHEDULED = ""
"""In place of a condition: a cron line, which starts the rule instead."""


class NoHome(Exception):
    """A part that cannot be said here; the text says why."""


class Conditions:
    """Reads conditions, and accounts for each of them."""

    def __init__(self, harvest: Harvest, clients: Clients, label: str) -> None:
        self._harvest = harvest
        self._clients = clients
        self._label = label
        self.missing: list[str] = []
        self.schedule = ""
        """The cron line of a time condition that is one."""

    def of(self, node: Node) -> Any:  # noqa: ANN401 - a condition as YAML has it
        """The condition of an object or a list; None where nothing of it could be carried over."""
        if isinstance(node, Table) and nodes.get(node, "type") is None:
            entries = [entry for entry in node.entries if entry.key != "priority"]
            if len(entries) > 1:
                return self._several(entries)
            made = self._entry(entries[0]) if entries else None
            return None if made == SCHEDULED else made
        found = [self._typed(one) for one in nodes.items(node)]
        kept = [one for one in found if one is not None and one != SCHEDULED]
        return kept[0] if len(kept) == 1 else {"all": kept} if kept else None

    def _several(self, entries: list[Entry]) -> Any:  # noqa: ANN401 - as above
        """Side by side: theirs looks at the first and says nothing of the others."""
        since = len(self._harvest.items)
        found = [self._entry(entry) for entry in entries]
        self._harvest.turn(since, Fate.LEFT, "it stands beside others: nobody can tell which count")
        keys = ", ".join(entry.key for entry in entries)
        self.missing.append(f"{keys} stand side by side: theirs looks at {entries[0].key} only; say all or any")
        kept = [one for one in found if one is not None and one != SCHEDULED]
        return {"all": kept} if kept else None

    def _typed(self, node: Node) -> Any:  # noqa: ANN401 - as above
        kind = nodes.text(nodes.get(node, "type"))
        if kind:
            return self._entry(Entry(key=kind, mark=node.mark, node=node))
        return self._inner(node) if isinstance(node, Table) else self._left(node.mark, "a condition", "it is no object")

    def _inner(self, node: Table) -> Any:  # noqa: ANN401 - as above
        """An object within a list: one condition under its name."""
        entries = [entry for entry in node.entries if entry.key != "priority"]
        if len(entries) == 1:
            return self._entry(entries[0])
        return self._several(entries) if entries else self._left(node.mark, "a condition", "it is empty")

    def _left(self, mark: Mark, what: str, because: str) -> None:
        self._harvest.left(mark, what, because)
        self.missing.append(f"{what} of line {mark.line}")

    def _entry(self, entry: Entry) -> Any:  # noqa: ANN401 - as above
        forms: Mapping[str, Callable[[Node], tuple[Any, str]]] = {
            "client_state": self._client_state, "error_message": self._error_message, "time": self._time,
            "database": self._database, "aps_database": self._database, "database_list": self._database_list,
            "virtual_device_error": self._device,
        }  # fmt: skip
        if entry.key in JOINS:
            return self._joined(entry)
        form = forms.get(entry.key)
        try:
            made, guess = (form or self._unknown)(entry.node)
        except (NoHome, sqltext.NoQuery) as exc:
            return self._left(entry.mark, f"the condition {entry.key}", str(exc))
        note = self._harvest.changed if guess else self._harvest.carried
        note(entry.mark, f"the condition {entry.key}", guess)
        return made

    def _joined(self, entry: Entry) -> Any:  # noqa: ANN401 - as above
        inner = nodes.get(entry.node, "conditions", "condition")
        listed = nodes.items(inner if inner is not None else entry.node)
        found = [self._typed(one) for one in listed]
        word = JOINS[entry.key]
        if word == "all" and len(found) > 1:
            # A cron line starts the rule; what stands beside it is the condition.
            found = [one for one in found if one != SCHEDULED]
        kept = [one for one in found if one is not None and one != SCHEDULED]
        if len(kept) < len(found) or not kept:
            # Without one of its parts it would mean something else.
            because = "a part of it could not be carried over" if found else "it joins nothing"
            self._harvest.left(entry.mark, f"the condition {entry.key}", because)
            if not found or SCHEDULED in found:
                self.missing.append(f"the condition {entry.key} of line {entry.mark.line}")
            return {"all": kept} if kept else None
        if word == "not":
            self._harvest.carried(entry.mark, "the condition not")
            return {"not": kept[0]} if len(kept) == 1 else {"not_all": kept}
        if word == "xor" and len(kept) != 2:
            self._harvest.changed(entry.mark, "the condition xor", f"of {len(kept)}: exactly one of them")
            return {"exactly": {"n": 1, "of": kept}}
        self._harvest.carried(entry.mark, f"the condition {entry.key}", word)
        return {word: kept}

    @staticmethod
    def _unknown(_: Node) -> tuple[Any, str]:
        raise NoHome("no kind of condition that is known here")

    @staticmethod
    def _device(_: Node) -> tuple[Any, str]:
        raise NoHome("nothing here looks into a client that deep: map a field of its JSON with json.metrics")

    # -------------------------------------------------------------------------------------------- clients

    def _client_state(self, node: Node) -> tuple[Any, str]:
        asked = [key for key in ("any_service_in_state", "no_service_in_state", "all_services_in_state", "client")
                 if nodes.get(node, key) is not None]  # fmt: skip
        if len(asked) != 1:
            raise NoHome(f"it asks {len(asked)} things, and theirs answers the first only")
        states = list(words(nodes.get(node, asked[0] if asked[0] != "client" else "state")))
        if not states:
            raise NoHome("it names no state")
        guess = "one text with a comma in it is read as several states" if self._comma(node, asked[0]) else ""
        if asked[0] == "client":
            chosen = self._clients.chosen(node)
        else:
            chosen = self._clients.all(list(words(nodes.get(node, "exclude_clients"))))
        if not chosen:
            raise NoHome(UNKNOWN)
        self._clients.declare(chosen)
        parts: list[Any] = [state(client, states) for client in chosen]
        if asked[0] == "client":
            return parts[0], guess
        word = {"any_service_in_state": "any", "no_service_in_state": "none", "all_services_in_state": "all"}[asked[0]]
        guess = guess or f"of {len(chosen)} clients; one that nobody sees makes it unknown, not false"
        if len(parts) == 1:
            return ({"not": parts[0]} if word == "none" else parts[0]), guess
        return {word: parts}, guess

    @staticmethod
    def _comma(node: Node, key: str) -> bool:
        return any("," in nodes.text(one) for one in nodes.items(nodes.get(node, key)))

    def _error_message(self, node: Node) -> tuple[Any, str]:
        text, how = nodes.text(nodes.get(node, "pattern")), nodes.text(nodes.get(node, "mode")) or "contains"
        if not text or how not in {"contains", "starts_with", "exact", "regex"}:
            raise NoHome("it has no pattern, or a mode nobody knows")
        chosen = self._clients.all()
        if not chosen:
            raise NoHome(UNKNOWN)
        self._clients.declare(chosen)
        plain = text if how == "regex" else _SPECIAL.sub(lambda match: "\\" + match.group(), text)
        plain = {"starts_with": f"^{plain}", "exact": f"^{plain}$"}.get(how, plain)
        if nodes.plain(nodes.get(node, "case_sensitive")) is not True:
            plain = f"(?i){plain}"
        parts = []
        for client in chosen:
            said = f'matched(http.message{{target="{client.target}"}}, {quoted(plain)})'
            scope = [] if nodes.plain(nodes.get(node, "all_clients")) is True else self._scope(node, client.target)
            parts.append(" and ".join([*scope, said]))
        guess = ""
        for entry in nodes.entries(nodes.get(node, "extract_to_context")):
            if not (nodes.text(entry.node) and f"(?P<{nodes.text(entry.node)}>" in text):
                raise NoHome(f"{entry.key} is taken from a group without a name: write (?P<name>...)")
            guess = f"{{capture.{nodes.text(entry.node)}}} is what was {entry.key}, and fills whole arguments of run"
        return (parts[0] if len(parts) == 1 else {"any": parts}), guess

    @staticmethod
    def _scope(node: Node, target: str) -> list[str]:
        found = []
        if nodes.plain(nodes.get(node, "fault_clients_only")) is not False:
            found.append(f'http.state{{target="{target}"}} == "FAULT"')
        if nodes.plain(nodes.get(node, "error_clients_only")) is True:
            found.append(f'http.error{{target="{target}"}} == 1')
        return found

    # -------------------------------------------------------------------------------------------- time

    def _time(self, node: Node) -> tuple[Any, str]:
        keys = {entry.key for entry in nodes.entries(node)}
        if keys & set(_CRON):
            return self._cron(node, keys)
        parts = []
        if (hours := nodes.get(node, "time_range")) is not None:
            start = nodes.text(nodes.get(hours, "start")) or "00:00"
            end = nodes.text(nodes.get(hours, "end")) or "24:00"
            parts.append(f'hours="{start[:5]}-{end[:5]}"')
        days = [nodes.text(one).lower() for one in nodes.items(nodes.get(node, "weekdays"))]
        if days:
            if not all(day in _DAYS for day in days):
                raise NoHome("a weekday that nobody knows")
            parts.append(f'days="{",".join(_DAYS[day] for day in days)}"')
        if date := nodes.text(nodes.get(node, "specific_date")):
            parts.append(f'dates="{date[:10]}"')
        if not parts or any(re.search(r"[^\w=:,\"-]", part) for part in parts):
            raise NoHome("it names no time_range, weekdays or specific_date")
        guess = (
            "all of its parts must hold here; theirs looks at the first only"
            if len(parts) > 1
            else "the end is exclusive"
        )
        return f"calendar({', '.join(parts)})", guess

    def _cron(self, node: Node, keys: set[str]) -> tuple[Any, str]:
        found = [nodes.plain(nodes.get(node, key)) for key in _CRON]
        fields = ["*" if one is None else str(one) for one in found]
        if not keys <= set(_CRON) or any(not re.fullmatch(r"[\w*/,-]{1,40}", one) for one in fields):
            raise NoHome("no cron line can be made of it")
        if self.schedule:
            raise NoHome("a second cron line in one scenario")
        self.schedule = " ".join(fields)
        return SCHEDULED, f"trigger: {{schedule: {self.schedule}}}: it starts the rule then, and is no condition"

    # -------------------------------------------------------------------------------------------- tables

    def _asked(self, node: Node, query: str, what: str) -> str:
        component = nodes.text(nodes.get(node, "component"))
        called = nodes.text(nodes.get(node, "result_key")) or f"{nodes.text(nodes.get(node, 'table'))}-{node.mark.line}"
        body = {
            "kind": "command", "name": name(f"{slug(self._label, 40)}-{called}"), "organ": "stomach",
            "argv": list(sqltext.argv(component, query)), "every": "60s", "timeout": "10s",
        }  # fmt: skip
        says = [
            f"the connection is the service {component} of pg_service.conf; its password stands in .pgpass, not here"
        ]
        target = self._harvest.target(Made(body=body, mark=node.mark, says=[what, *says]))
        return f'command.value{{target="{target}"}} > 0'

    def _database_list(self, node: Node) -> tuple[Any, str]:
        where = nodes.data(nodes.get(node, "where"))
        if not isinstance(where, Mapping):
            raise NoHome("its where is no object of columns and values")
        limit = nodes.number(nodes.get(node, "limit"))
        order = nodes.text(nodes.get(node, "order_by"))
        query = sqltext.counting(nodes.text(nodes.get(node, "table")), where, int(limit) if limit else None, order)
        when = self._asked(node, query, "how many rows there are")
        return (
            when,
            "true while there are rows, asked by psql once a minute; the rows themselves are not handed to steps",
        )

    def _database(self, node: Node) -> tuple[Any, str]:
        where = nodes.data(nodes.get(node, "where"))
        if not isinstance(where, Mapping):
            raise NoHome("its where is no object of columns and values")
        query = sqltext.comparing(
            nodes.text(nodes.get(node, "table")), nodes.text(nodes.get(node, "column")), where,
            nodes.text(nodes.get(node, "operator")) or "equals", nodes.data(nodes.get(node, "expected_value")),
        )  # fmt: skip
        when = self._asked(node, query, "1 or more where the value is as expected")
        return when, "asked by psql once a minute"
