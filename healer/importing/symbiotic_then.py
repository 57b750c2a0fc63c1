"""What symbiotic rules do and what starts them, as steps and triggers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from healer.importing import hands, nodes
from healer.importing.harvest import Harvest, Made, duration, name, without_none
from healer.importing.measures import snake
from healer.model.verbs import VERBS
from healer.yamldoc.node import Node, Scalar, Table

_NOTIFY = frozenset(
    {"notify", "alert", "send_alert", "notification", "send_notification", "log", "email", "sms", "warn"}
)
_RUN = frozenset(
    {"run", "execute", "exec", "command", "script", "run_command", "run_script", "execute_command", "shell"}
)
_CALL = frozenset({"call", "http", "webhook", "http_request", "api_call", "request"})
_WAIT = frozenset({"wait", "delay", "sleep", "pause_for"})
_PUBLISH = frozenset({"publish", "emit", "emit_event", "event", "trigger_event"})
_SEVERITY = {
    "info": "info",
    "low": "info",
    "debug": "info",
    "warning": "warning",
    "medium": "warning",
    "warn": "warning",
}


@dataclass(slots=True)
class Left(Exception):
    """A part that has no home here."""

    because: str


class Action:
    """One ``{type, target, parameters}``."""

    def __init__(self, node: Node, harvest: Harvest, label: str) -> None:
        self._node = node
        self._harvest = harvest
        self._label = label
        self._kind = snake(nodes.text(nodes.get(node, "type", "action")))
        self._target = nodes.text(nodes.get(node, "target", "service"))
        self._params = nodes.get(node, "parameters", "params") or node

    def step(self) -> tuple[dict[str, Any], str]:
        """The step, and how it was guessed; raises Left."""
        touching = re.fullmatch(r"(restart|start|stop)(?:_(?:service|process|component|unit))?", self._kind)
        if touching:
            return self._touch(touching.group(1))
        forms: tuple[tuple[frozenset[str], Callable[[], tuple[dict[str, Any], str]]], ...] = (
            (_NOTIFY, self._notify), (_RUN, self._run), (_CALL, self._call), (_WAIT, self._wait),
            (_PUBLISH, self._publish),
        )  # fmt: skip
        for words, form in forms:
            if self._kind in words:
                return form()
        verb = "" if self._kind not in VERBS else f"; `{self._kind}` is a verb here: write its parameters yourself"
        raise Left(f"nothing here does {self._kind[:60] or 'an action without a type'}{verb}")

    def _param(self, *keys: str) -> Node | None:
        return nodes.get(self._params, *keys)

    def _touch(self, verb: str) -> tuple[dict[str, Any], str]:
        called = self._target or nodes.text(self._param("service", "name"))
        if not called:
            raise Left("it names no service")
        kind, _, rest = called.partition(":")
        if rest and kind == "container":
            target = self._harvest.target(Made(body={"kind": kind, "name": name(rest)}, mark=self._node.mark))
            return hands.touch(verb, target), ""
        target = hands.service(self._harvest, rest or called, self._node.mark)
        return hands.touch(verb, target), f"{called} is taken for {target} and the systemd unit of that name"

    def _notify(self) -> tuple[dict[str, Any], str]:
        said = nodes.text(self._param("message", "text", "body")) or f"{self._label}: look at it"
        clean = hands.concealed(self._harvest, said, self._node.mark, f"{self._label}-message")
        level = snake(nodes.text(self._param("severity", "level", "priority")))
        severity = _SEVERITY.get(level, "critical" if level in {"critical", "error", "high", "fatal"} else "warning")
        channel = nodes.text(self._param("channel", "channels", "to"))
        because = "to the journal: declare a channel under notify: and name it" if channel or self._target else ""
        return {"notify": {"message": clean, "severity": severity}}, because

    def _run(self) -> tuple[dict[str, Any], str]:
        given = self._param("argv", "command", "script", "cmd")
        words = nodes.data(given)
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            argv, because = hands.argv(self._harvest, words, self._node.mark, f"{self._label}-command")
        else:
            more = nodes.data(self._param("args", "arguments"))
            tail = [str(word) for word in more] if isinstance(more, list) else []
            line = nodes.text(given) or self._target
            argv, because = hands.argv(self._harvest, line, self._node.mark, f"{self._label}-command")
            if argv and tail:
                argv, because = hands.argv(self._harvest, [*argv, *tail], self._node.mark, f"{self._label}-command")
        if because:
            raise Left(because)
        return {"run": {"argv": argv}, **self._timeout()}, ""

    def _call(self) -> tuple[dict[str, Any], str]:
        url = nodes.text(self._param("url", "endpoint")) or self._target
        if not url.startswith(("http://", "https://")):
            raise Left("it names no http or https address")
        hint = f"{self._label}-url"
        method = (nodes.text(self._param("method")) or "POST").upper()
        body = self._param("body", "data", "payload", "json")
        sent = hands.concealed(self._harvest, nodes.data(body), self._node.mark, f"{self._label}-data")
        clean = hands.concealed(self._harvest, url, self._node.mark, hint)
        if clean != url:
            raise Left("its address holds a secret: send it in a header, {credential: NAME}")
        heads = nodes.data(self._param("headers"))
        made = {
            "url": clean,
            "method": method,
            "headers": hands.headers(
                self._harvest, heads if isinstance(heads, Mapping) else {}, self._node.mark, self._label
            ),
            "json": sent if isinstance(sent, Mapping) else None,
            "body": sent if isinstance(sent, str) else None,
        }
        return {"call": without_none(made), **self._timeout()}, ""

    def _wait(self) -> tuple[dict[str, Any], str]:
        node = self._param("duration", "seconds", "time", "for", "delay")
        seconds = seconds_in(node, milli=self._param("ms") is not None) if node is not None else None
        if not seconds:
            raise Left("it does not say how long")
        return {"wait": duration(seconds)}, ""

    def _publish(self) -> tuple[dict[str, Any], str]:
        topic = topic_of(nodes.text(self._param("topic", "event", "name")) or self._target)
        if not topic:
            raise Left("it names no event")
        sent = nodes.data(self._param("data", "payload"))
        clean = hands.concealed(self._harvest, sent, self._node.mark, f"{self._label}-data")
        return {"publish": without_none({"topic": topic, "data": clean if isinstance(clean, dict) else None})}, ""

    def _timeout(self) -> dict[str, str]:
        node = self._param("timeout")
        seconds = seconds_in(node) if node is not None else None
        return {"timeout": duration(min(max(seconds, 1), 86400))} if seconds else {}


def started(node: Node) -> tuple[Any, str]:
    """A trigger as YAML (None: auto), and how it was guessed; raises Left."""
    word = snake(nodes.text(node) or nodes.text(nodes.get(node, "type")))
    if word in {"manual", "on_demand", "user"}:
        return "manual", ""
    if word in {"schedule", "scheduled", "cron"}:
        cron = nodes.text(nodes.get(node, "schedule", "cron", "expression", "value"))
        if len(cron.split()) != 5:
            raise Left("it has no cron line of five fields")
        return {"schedule": cron}, ""
    if word == "event":
        topic = nodes.text(nodes.get(node, "event", "topic", "name", "event_type", "value", "target"))
        if not topic_of(topic):
            raise Left("it names no event")
        return {"event": topic_of(topic)}, "a topic of this agent's bus; who publishes it is for you to say"
    if word in {
        "auto",
        "automatic",
        "continuous",
        "metric",
        "threshold",
        "condition",
        "metric_threshold",
        "state_change",
    }:
        return None, "" if word in {
            "auto",
            "automatic",
            "continuous",
        } else "conditions are judged whenever a value changes"
    raise Left(f"no trigger of type {word[:40]!r}")


def topic_of(text: str) -> str:
    """``serviceDown`` as a topic of the bus: ``service.down``; empty where nothing is left of it."""
    return re.sub(r"[^a-z0-9]+", ".", snake(text)).strip(".")


def seconds_in(node: Node, *, milli: bool = False) -> float | None:
    """A number of seconds, or text with a unit."""
    value = nodes.number(node)
    if value is not None:
        return (value / 1000 if milli else value) if 0 <= value <= 1e9 else None
    found = re.fullmatch(
        r"(\d{1,9}(?:\.\d+)?)\s*(ms|s|sec|m|min|h|d)?(?:onds?|utes?|ours?|ays?)?", nodes.text(node).strip()
    )
    if not found:
        return None
    size = {"ms": 0.001, "m": 60, "min": 60, "h": 3600, "d": 86400}.get(found.group(2) or "s", 1)
    return float(found.group(1)) * size


def hours_in(node: Node) -> str:
    """``22:00-06:00`` of a text or of ``{start, end}``; empty where it is neither."""
    text = nodes.text(node).replace(" ", "")
    if isinstance(node, Table):
        text = f"{nodes.text(nodes.get(node, 'start', 'from'))}-{nodes.text(nodes.get(node, 'end', 'to'))}"
    return text if re.fullmatch(r"[0-2]\d:[0-5]\d-[0-2]\d:[0-5]\d", text) else ""


def shown(node: Node) -> str:
    """A part of a rule on one line."""
    held = {entry.key: entry.node for entry in nodes.entries(node) if isinstance(entry.node, Scalar)}
    words = [
        f"{key} {one.text[:40]}"
        for key, one in held.items()
        if key in {"type", "system", "metric", "target", "operator", "value"}
    ]
    return ", ".join(words) or "an empty one"
