"""What came of the attacks, as text, as JSON, and what must come of them as the table in docs/attacks.md."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from audit.attack.catalog import Attack, Auditor, Family, Verdict
from audit.attack.referee import Outcome

_NAME: Final = 44


def heading() -> str:
    """Return the two lines above the others."""
    columns = "".join(f"{who.value:<15}" for who in Auditor)
    return f"{'':<{_NAME}} seen by an auditor who has:\n{'attack':<{_NAME}} {columns}the attacker has"


def line(outcome: Outcome) -> str:
    """Return one attack's line; what is wrong stands below it."""
    attack = outcome.attack
    if outcome.skipped:
        return f"{attack.name:<{_NAME}} not tried: {outcome.skipped}"
    if outcome.failed:
        return f"{attack.name:<{_NAME}} could not be made: {outcome.failed}"
    cells = "".join(f"{cell.verdict.words:<15}" for cell in outcome.cells.values())
    return "\n".join([f"{attack.name:<{_NAME}} {cells}{attack.power.value}", *_below(outcome)])


def _below(outcome: Outcome) -> Iterator[str]:
    attack = outcome.attack
    for who in outcome.wrong:
        cell = outcome.cells[who]
        yield f"    WRONG: who has {who.value} must see it as {attack.must[who].words}, and was told: {cell.said}"
    if outcome.beside_the_point:
        told = "; ".join(dict.fromkeys(cell.said for cell in outcome.cells.values()))
        yield f"    WRONG: it is seen for another reason ({' or '.join(sorted(attack.codes))} was expected): {told}"
    if any(cell.verdict is Verdict.UNNOTICED for cell in outcome.cells.values()) and attack.because:
        yield f"    because {attack.because}"


def closing(outcomes: Sequence[Outcome]) -> str:
    """Return the last line, which counts."""
    tried = [one for one in outcomes if one.cells]
    wrong = sum(1 for one in tried if one.bad)
    parts = [
        f"{len(tried)} attacks tried",
        f"{wrong} seen less than they must be" if wrong else "each seen as it must be",
    ]
    skipped = Counter(one.skipped for one in outcomes if one.skipped)
    parts += [f"{count} not tried ({because})" for because, count in skipped.items()]
    failed = sum(1 for one in outcomes if one.failed)
    return "; ".join(parts + ([f"{failed} could not be made"] if failed else []))


def facts(outcome: Outcome) -> dict[str, object]:
    """Return one attack's outcome for machines."""
    attack = outcome.attack
    cells = {
        who.name.lower(): {
            "verdict": cell.verdict.words,
            "must": attack.must[who].words,
            "said": cell.said,
            "codes": cell.codes,
            "wrong": who in outcome.wrong,
        }
        for who, cell in outcome.cells.items()
    }
    named = {"name": attack.name, "family": attack.family, "what": attack.what, "attacker": attack.power.value}
    return {
        **named,
        "codes": sorted(attack.codes),
        "beside_the_point": outcome.beside_the_point,
        "cells": cells,
        "because": attack.because,
        "skipped": outcome.skipped,
        "failed": outcome.failed,
    }


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return 1 where an attack was seen less than it must be, 2 where nothing was tried or one could not be made."""
    if any(one.bad for one in outcomes):
        return 1
    return 2 if any(one.failed for one in outcomes) or not any(one.cells for one in outcomes) else 0


def markdown(families: Iterable[Family]) -> str:
    """Return the table of what must be seen, for the documentation."""
    return "\n".join(line for family in families for line in _family(family))


def _family(family: Family) -> Iterator[str]:
    yield f"### {family.what[0].upper()}{family.what[1:]}"
    yield ""
    yield f"| attack (`{family.name}`) | attacker has | " + " | ".join(who.value for who in Auditor) + " |"
    yield "|---|---|" + "---|" * len(Auditor)
    yield from map(_row, family)
    yield ""


def _row(attack: Attack) -> str:
    cells = " | ".join(attack.must[who].words for who in Auditor)
    because = f" *{attack.because[0].upper()}{attack.because[1:]}.*" if attack.because else ""
    return f"| `{attack.name}`: {attack.what}.{because} | {attack.power.value} | {cells} |"
