"""What a test expects, held beside what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from healer.core.explain import explain
from healer.core.instance import Instance
from healer.core.report import phase
from healer.rehearsal.talk import Talk
from healer.rules.case import Expectation
from healer.rules.rule import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that was expected, and what was found."""

    what: str
    expected: str
    found: str
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One expectation of a test of rules, and whether it held."""

    case: str
    rule: str
    target: str
    at: float
    """Seconds from the beginning."""
    position: Position
    rows: tuple[Row, ...]
    because: str = ""
    """What was found instead; empty where it held."""
    explanation: Sequence[Mapping[str, Any]] = ()
    """Of the rule at that moment, as `healer explain` has it; only where something did not hold."""

    @property
    def ok(self) -> bool:
        """Whether all of it held."""
        return not self.because


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is so, and what has been, of one rule on one target."""

    state: str
    truth: str
    step: int | None
    acted: tuple[str, ...]
    withheld: tuple[tuple[str, str], ...]
    """(gate, because)."""
    verdicts: tuple[tuple[str, str], ...]
    """(result, because)."""
    topics: tuple[str, ...]

    def __str__(self) -> str:
        verdicts = f"; judged {', '.join(result for result, _ in self.verdicts)}" if self.verdicts else ""
        return (
            f"state {self.state}; decided {', '.join(self.acted) or 'nothing'}; "
            f"withheld by {', '.join(gate for gate, _ in self.withheld) or 'nothing'}{verdicts}"
        )


def judge(talk: Talk, case: str, wanted: Expectation) -> Checked:
    """Hold one expectation against the conversation as it stands."""
    bound = [one for one in talk.core.instances.values() if one.rule.id == wanted.rule]
    chosen = [one for one in bound if wanted.target in {"", one.target.id}]
    common: dict[str, Any] = {
        "case": case, "rule": wanted.rule, "target": wanted.target, "at": wanted.at, "position": wanted.position,
    }  # fmt: skip
    if len(chosen) != 1:
        because = _unbound(wanted, bound, chosen)
        row = Row(what="rule", expected=f"{wanted.rule}@{wanted.target or 'host:'}", found=because, ok=not because)
        return Checked(**common, rows=(row,), because=because)
    found = _find(talk, wanted, chosen[0])
    rows = tuple(_rows(wanted, found))
    if all(row.ok for row in rows):
        return Checked(**common, rows=rows)
    explanation = explain(talk.core, wanted.rule, chosen[0].target.id)
    return Checked(**common, rows=rows, because=f"{found}{_unlike(rows)}", explanation=explanation)


def _unbound(wanted: Expectation, bound: Sequence[Instance], chosen: Sequence[Instance]) -> str:
    if len(chosen) > 1:
        return f"{wanted.rule} is bound to {len(chosen)} targets here: name one with target:"
    if wanted.none:
        return ""  # a rule that does not select this target leaves it alone
    others = ", ".join(one.target.id for one in bound[:4])
    return f"{wanted.rule} is not bound to {wanted.target or 'a target'} here, " + (
        f"but to {others}" if others else "nor to any other: look at its each: or target:, and at targets:"
    )


def _unlike(rows: Sequence[Row]) -> str:
    """What the one-line summary leaves out."""
    left = [row for row in rows if not row.ok and row.what not in {"state", "action", "withheld", "none", "verdict"}]
    return "".join(f"; {row.what} {row.found}" for row in left)


def _find(talk: Talk, wanted: Expectation, instance: Instance) -> Found:
    def ours(one: Any) -> bool:  # noqa: ANN401 - decisions and what was withheld, alike in this
        # A step may act on a target of its own; the incident says for whom it was.
        return bool(one.incident == instance.key or (one.rule == wanted.rule and one.target == instance.target.id))

    incident = talk.core.desk.memory.incidents.get(instance.key)
    mine = {one.id for one in talk.acted if ours(one)}
    verdicts = [(one["result"], one.get("because", "")) for one in talk.log.of("verdict") if one.get("id") in mine]
    return Found(
        state=phase(talk.core, instance),
        truth=instance.truth.value,
        step=incident.step + 1 if incident else None,
        acted=tuple(one.action for one in talk.acted if ours(one)),
        withheld=tuple((one.gate, one.because) for one in talk.withheld if ours(one)),
        verdicts=tuple(verdicts),
        topics=tuple(talk.topics),
    )


def _rows(wanted: Expectation, found: Found) -> list[Row]:
    """One row per thing that was said."""
    rows = [
        Row(what=what, expected=expected, found=seen, ok=expected == seen)
        for what, expected, seen in (
            ("state", wanted.state, found.state),
            ("truth", wanted.truth, found.truth),
            ("step", str(wanted.step or ""), str(found.step or "no incident")),
        )
        if expected
    ]
    decided = ", ".join(found.acted) or "nothing"
    if wanted.none:
        seen = f"decided {decided}; withheld by {_gates(found)}"
        rows.append(Row(what="none", expected="nothing", found=seen, ok=not found.acted and not found.withheld))
    if wanted.action:
        rows.append(_counted("action", wanted.action, wanted.times, found.acted.count(wanted.action), decided))
    if wanted.withheld:
        rows.append(_withheld(wanted, found))
    if wanted.verdict:
        rows.append(_verdict(wanted, found))
    if wanted.published:
        heard = [topic for topic in found.topics if fnmatchcase(topic, wanted.published)]
        said = ", ".join(dict.fromkeys(found.topics)) or "nothing"
        times = None if wanted.action else wanted.times
        rows.append(_counted("published", wanted.published, times, len(heard), said))
    return rows


def _gates(found: Found) -> str:
    return ", ".join(f"{gate} ({because})" for gate, because in found.withheld) or "nothing"


def _counted(what: str, name: str, times: int | None, count: int, said: str) -> Row:
    often = {None: "", 0: ", never", 1: ", once"}.get(times, f", {times} times")
    expected = f"{name}{often}"
    return Row(what=what, expected=expected, found=said, ok=count > 0 if times is None else count == times)


def _withheld(wanted: Expectation, found: Found) -> Row:
    held = any(gate == wanted.withheld and wanted.because in because for gate, because in found.withheld)
    others = "" if wanted.action or not found.acted else f"; decided {', '.join(found.acted)}"
    expected = wanted.withheld + (f" (... {wanted.because} ...)" if wanted.because else "")
    return Row(what="withheld", expected=expected, found=f"{_gates(found)}{others}", ok=held and not others)


def _verdict(wanted: Expectation, found: Found) -> Row:
    reason = "" if wanted.withheld else wanted.because
    held = any(result == wanted.verdict and reason in because for result, because in found.verdicts)
    said = ", ".join(f"{result} ({because})" for result, because in found.verdicts) or "none"
    return Row(what="verdict", expected=wanted.verdict, found=said, ok=held)
