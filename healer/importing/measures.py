"""What other people call a metric, an operator or a value, as an expression of this language."""

import re
from collections.abc import Mapping

from healer.importing.emit import scalar
from healer.model.anatomy import DEFAULT_VITALS
from healer.model.organism import ORGANS
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.units import unit_of
from healer.yamldoc.node import Plain

OPERATORS: Mapping[str, str] = {
    **dict.fromkeys((">", "gt", "greater", "greater_than", "above", "more_than"), ">"),
    **dict.fromkeys(("<", "lt", "less", "less_than", "below"), "<"),
    **dict.fromkeys(
        (">=", "gte", "ge", "greater_equal", "greater_or_equal", "greater_than_or_equal", "at_least"), ">="
    ),
    **dict.fromkeys(("<=", "lte", "le", "less_equal", "less_or_equal", "less_than_or_equal", "at_most"), "<="),
    **dict.fromkeys(("==", "=", "===", "eq", "equal", "equals", "is"), "=="),
    **dict.fromkeys(("!=", "<>", "!==", "ne", "neq", "not_equal", "not_equals", "is_not"), "!="),
    "contains": "contains",
    "matches": "matches",
}
ALIASES: Mapping[str, str] = {
    "circulatory": "heart", "cardiovascular": "heart", "respiratory": "lungs", "lung": "lungs", "digestive": "stomach",
    "muscle": "muscles", "muscular": "muscles", "immunity": "immune", "immune_system": "immune", "nerves": "nervous",
    "nervous_system": "nervous", "cognitive": "brain",
}  # fmt: skip
_HOST: Mapping[str, str] = {
    **dict.fromkeys(("cpu", "cpu_usage", "cpu_percent", "cpu_utilization", "cpu_used"), "cpu.used"),
    **dict.fromkeys(("memory", "memory_usage", "memory_percent", "memory_used", "mem"), "memory.used"),
    **dict.fromkeys(("ram", "ram_usage", "ram_percent"), "memory.used"),
    **dict.fromkeys(("memory_available", "available_memory"), "memory.available"),
    **dict.fromkeys(("disk", "disk_usage", "disk_percent", "disk_used", "storage"), "max(disk.used)"),
    **dict.fromkeys(("swap", "swap_usage", "swap_percent", "swap_used"), "swap.used"),
    **dict.fromkeys(("load_per_core", "cpu_load"), "cpu.load_per_core"),
    **dict.fromkeys(("iowait", "io_wait"), "cpu.iowait"),
    **dict.fromkeys(("temperature",), "max(host.temperature)"),
    **dict.fromkeys(("latency", "latency_ms", "network_latency"), "max(http.latency)"),
    **dict.fromkeys(("response_time", "response_time_ms"), "max(http.latency)"),
    **dict.fromkeys(("packet_errors", "network_errors"), "max(net.errors_rate)"),
    **dict.fromkeys(("processes", "process_count"), "host.processes"),
    **dict.fromkeys(("uptime",), "host.uptime"),
    **dict.fromkeys(("harmony", "harmony_score", "overall_health"), "harmony"),
    **dict.fromkeys(("energy", "energy_level"), "energy"),
    "balance": "balance",
}  # fmt: skip
_GENERAL = frozenset({"", "system", "host", "server", "os", "organism", "cpu", "memory", "disk", "network", "overall"})
_SNAKE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\s.-]+")
_QUANTITY = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:%|ms|s|m|h|d|B|kB|KiB|MB|MiB|GB|GiB|TB|TiB)?\Z")


def snake(text: str) -> str:
    """``cpuUsage`` and ``CPU usage`` as ``cpu_usage``."""
    return _SNAKE.sub("_", text.strip()).lower()


def organ(text: str) -> str:
    """The organ a word means; empty for none."""
    word = snake(text)
    return word if word in ORGANS else ALIASES.get(word, "")


def measure(system: str, metric: str) -> str:
    """The expression for a metric of a system; empty where there is none."""
    place, word = organ(system), snake(metric)
    if place:
        if word in {vital.name for vital in DEFAULT_VITALS if vital.organ == place}:
            return f"{place}.{word}"
        if word in {"health", "score", "health_score", "status"}:
            return f"{place}.health" if word == "status" else f"{place}.score"
    for named in (f"{snake(system)}.{word}", metric):
        if named in METRICS:
            return f"max({named})" if METRICS[named].labels else named
    if place or snake(system) in _GENERAL:
        return _HOST.get(f"{snake(system)}_{word}") or _HOST.get(word) or ""
    return ""


def unit(of: str) -> Unit | None:
    """The unit of such an expression; None for a plain number."""
    name = of.partition(".")
    if name[0] in ORGANS:
        if name[2] in {"score", "health"}:
            return Unit.SCORE if name[2] == "score" else Unit.WORD
        of = next(vital.value for vital in DEFAULT_VITALS if vital.id == of)
    if of in METRICS:
        return METRICS[of].unit
    return unit_of(expression.parse(of, vocabulary=METRICS))


def bound(value: Plain, of: str, called: str) -> tuple[str, str]:
    """A value as it is written behind a comparison, and how it was understood where that is a guess."""
    kind = unit(of)
    if isinstance(value, bool):
        return ("1" if value else "0"), ""
    if isinstance(value, str):
        return (value, "") if kind is not Unit.WORD and _QUANTITY.match(value) else (_word(value), "")
    if value is None:
        return "", ""
    said = scalar(value)
    if kind is Unit.RATIO:
        return (f"{said}%", f"{said} is read as {said}%") if value > 1 else (said, "")
    if kind is Unit.SECONDS:
        milli = re.search(r"(?:_|\b)(?:ms|millis)", snake(called)) is not None
        return (f"{said}ms", "") if milli else (f"{said}s", f"{said} is read as seconds")
    if kind in {Unit.BYTES, Unit.BYTES_PER_SECOND}:
        return f"{said}B", f"{said} is read as bytes"
    return said, ""


def _word(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
