"""Healings in Prometheus' text exposition format: counted by what came of them."""

from collections.abc import Iterator, Mapping

from healer.api.healings import Healings


def healings_text(healings: Healings) -> str:
    """``healer_healings_total`` by rule, action, target and verdict; seconds to a verified cure by action."""
    return "".join(f"{line}\n" for line in _lines(healings))


def _lines(healings: Healings) -> Iterator[str]:
    # As a whole at the first scrape after a start: a counter that crept up again would look like new healings.
    if ended := dict(healings.ended):
        yield "# HELP healer_healings_total Verdicts on what was done, over the whole sealed log."
        yield "# TYPE healer_healings_total counter"
        for key, times in sorted(ended.items()):
            yield f"healer_healings_total{_labels(key._asdict())} {times}"
    if cured := dict(healings.cured):
        yield "# HELP healer_healing_seconds From the sealed intent to the verdict that it worked."
        yield "# TYPE healer_healing_seconds summary"
        for action, (times, seconds) in sorted(cured.items()):
            yield f"healer_healing_seconds_sum{_labels({'action': action})} {seconds:.6f}"
            yield f"healer_healing_seconds_count{_labels({'action': action})} {times}"


def _labels(held: Mapping[str, str]) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(held.items()))
    return f"{{{inner}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
