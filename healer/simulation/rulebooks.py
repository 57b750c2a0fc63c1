"""The rules that simulated agents run, and what the oracle knows of them: written beside each other by hand."""

import functools
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from healer.rules import load as loader
from healer.rules.rule import RuleSet
from healer.simulation import knobs, starts, ways

_STEADY = """\
version: 1
rules:
  - id: down
    each: {kind: program}
    when: program.up{target} == 0
    for: HOLD
    clear: program.up{target} == 1
    clear_for: 2s
    mode: auto
    cooldown: 8s
    limits: [{max: 3, per: 1m}, {max: 6, per: 4m}]
    backoff: {initial: 2s, factor: 2, max: 16s, jitter: 20%, reset_after: 1m}
    then:
      - restart: {}
        timeout: 6s
        verify: {when: "program.up{target} == 1", within: 5s, stable_for: 2s}
      - start: {}
        timeout: 6s
        verify: {when: "program.up{target} == 1", within: 5s, stable_for: 2s}
    on_exhausted: {rearm_after: 1m}
  - id: box-down
    each: {kind: container}
    when: container.up{target} == 0
    for: 3s
    samples: {bad: 2, of: 3}
    mode: auto
    witness: before
    cooldown: 5s
    limits: [{max: 4, per: 2m, scope: target}]
    backoff: {initial: 3s, factor: 2, max: 20s, jitter: 20%, reset_after: 1m}
    then:
      - restart: {}
        timeout: 6s
    on_exhausted: {rearm_after: 1m}
  - id: front-silent
    target: http:front
    when: http.ok{target} == 0
    for: 4s
    mode: auto
    cooldown: 20s
    limits: [{max: 2, per: 2m, scope: rule}]
    backoff: {initial: 3s, factor: 2, max: 20s, jitter: 20%, reset_after: 1m}
    on_unknown: notify
    then:
      - restart: {}
        target: program:p0
        timeout: 6s
        verify: {when: "http.ok{target} == 1", within: 5s}
    on_exhausted: {rearm_after: 1m}
  - id: fat
    each: {kind: program}
    when: program.memory{target} > 500MiB
    for: 2s
    mode: auto
    cooldown: 10s
    limits: [{max: 2, per: 1m}]
    backoff: {initial: 2s, factor: 2, max: 20s, jitter: 20%, reset_after: 1m}
    then:
      - restart: {}
        timeout: 6s
        verify: {when: "program.memory{target} < 400MiB", within: 6s}
    on_exhausted: {rearm_after: 1m}
  - id: box-fat
    each: {kind: container}
    when: container.memory{target} > 500MiB
    mode: approve
    cooldown: 6s
    limits: [{max: 3, per: 1m}]
    backoff: {initial: 2s, factor: 2, max: 10s, jitter: 20%, reset_after: 1m}
    then:
      - restart: {}
        approve: {ttl: 20s}
        timeout: 6s
        verify: {when: "container.memory{target} < 400MiB", within: 6s}
    on_exhausted: {rearm_after: 20s}
  - id: only-watching
    each: {kind: program}
    when: program.up{target} == 0
    mode: observe
    then:
      - restart: {}
  - id: nobody
    each: {group: nobody}
    when: program.up{target} == 0
    mode: auto
    then:
      - restart: {}
"""

_FIGHT = """\
version: 1
rules:
  - id: always
    each: {kind: container}
    when: container.cpu{target} >= 0
    mode: auto
    cooldown: 4s
    limits: [{max: 3, per: 1m}]
    backoff: {initial: 2s, factor: 2, max: 10s, jitter: 20%, reset_after: 1m}
    then:
      - restart: {}
        timeout: 6s
        verify: {when: "container.cpu{target} < 0%", within: 2s}
    on_exhausted: {rearm_after: 30s}
  - id: stopper
    each: {kind: program}
    when: program.cpu{target} > 80%
    for: 1s
    mode: auto
    cooldown: 5s
    limits: [{max: 3, per: 1m}]
    backoff: {initial: 1s, factor: 2, max: 10s, jitter: 20%, reset_after: 1m}
    then:
      - stop: {}
        timeout: 6s
        verify: {when: "program.up{target} == 0", within: 3s}
    on_exhausted: {rearm_after: 1m}
  - id: starter
    each: {kind: program}
    when: program.up{target} == 0
    for: HOLD
    mode: auto
    cooldown: 5s
    limits: [{max: 4, per: 1m}]
    backoff: {initial: 1s, factor: 2, max: 10s, jitter: 20%, reset_after: 1m}
    then:
      - start: {}
        timeout: 6s
        verify: {when: "program.up{target} == 1", within: 3s}
    on_exhausted: {rearm_after: 1m}
"""

Bad = Callable[[float], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What must hold of the senses for a rule to act, and the brakes that its text promises."""

    metric: str
    bad: Bad
    cooldown: float
    limits: tuple[tuple[int, float, str], ...]
    """(most, seconds, scope)"""
    backoff: tuple[float, float, float]
    """(initial, factor, longest) in seconds."""
    cured: tuple[str, Bad]
    """The metric, and what must be seen of it, for its cure to be called verified."""
    acts: bool = True
    elsewhere: bool = False
    """It acts on other targets than the one it judges."""
    apart: bool = False
    """Each of its targets is proved by itself."""


def _is_down(value: float) -> bool:
    return value == 0


def _is_up(value: float) -> bool:
    return value == 1


def _at_all(value: float) -> bool:
    return value >= 0


def _never(value: float) -> bool:
    return value < 0


_EACH = "action+target"
_IDLE = Fact(
    metric="program.up",
    bad=_is_down,
    cooldown=0,
    limits=(),
    backoff=(0, 1, 0),
    cured=("program.up", _is_up),
    acts=False,
)
_STARTED = Fact(
    metric="container.cpu",
    bad=_at_all,
    cooldown=4,
    limits=((3, 60, _EACH),),
    backoff=(2, 2, 10),
    cured=("container.up", _is_up),
)
_TURNING = Fact(
    metric="program.cpu",
    bad=lambda value: value > 0.8,
    cooldown=3,
    limits=((6, 60, _EACH),),
    backoff=(1, 2, 8),
    cured=("program.cpu", lambda value: value < 0.5),
)
FACTS: Mapping[str, Fact] = {
    "down": Fact(
        metric="program.up",
        bad=_is_down,
        cooldown=8,
        limits=((3, 60, _EACH), (6, 240, _EACH)),
        backoff=(2, 2, 16),
        cured=("program.up", _is_up),
    ),
    "box-down": Fact(
        metric="container.up",
        bad=_is_down,
        cooldown=5,
        limits=((4, 120, "target"),),
        backoff=(3, 2, 20),
        cured=("container.up", _is_up),
    ),
    "front-silent": Fact(
        metric="http.ok",
        bad=_is_down,
        cooldown=20,
        limits=((2, 120, "rule"),),
        backoff=(3, 2, 20),
        cured=("http.ok", _is_up),
        elsewhere=True,
    ),
    "ways-down": Fact(
        metric="program.up",
        bad=_is_down,
        cooldown=8,
        limits=((4, 60, _EACH), (8, 240, _EACH)),
        backoff=(2, 2, 16),
        cured=("program.up", _is_up),
    ),
    "ways-box": Fact(
        metric="container.up",
        bad=_is_down,
        cooldown=5,
        limits=((4, 120, "target"),),
        backoff=(3, 2, 20),
        cured=("container.up", _is_up),
    ),
    "herd": Fact(
        metric="http.ok",
        bad=_is_down,
        cooldown=20,
        limits=((8, 120, "rule"),),
        backoff=(3, 2, 20),
        cured=("program.up", _is_up),
        elsewhere=True,
        apart=True,
    ),
    "kick": Fact(
        metric="http.ok",
        bad=_is_down,
        cooldown=20,
        limits=((2, 120, "rule"),),
        backoff=(3, 2, 20),
        cured=("http.ok", _is_up),
        elsewhere=True,
    ),
    "fat": Fact(
        metric="program.memory",
        bad=lambda value: value > 500 * 2**20,
        cooldown=10,
        limits=((2, 60, _EACH),),
        backoff=(2, 2, 20),
        cured=("program.memory", lambda value: value < 400 * 2**20),
    ),
    "box-fat": Fact(
        metric="container.memory",
        bad=lambda value: value > 500 * 2**20,
        cooldown=6,
        limits=((3, 60, _EACH),),
        backoff=(2, 2, 10),
        cured=("container.memory", lambda value: value < 400 * 2**20),
    ),
    "only-watching": _IDLE,
    "nobody": _IDLE,
    "always": Fact(
        metric="container.cpu",
        bad=_at_all,
        cooldown=4,
        limits=((3, 60, _EACH),),
        backoff=(2, 2, 10),
        cured=("container.cpu", _never),
    ),
    "told": _STARTED,
    "by-hand": _STARTED,
    "tight": _TURNING,
    "wide": replace(_TURNING, bad=lambda value: value > 0.9),
    "stopper": Fact(
        metric="program.cpu",
        bad=lambda value: value > 0.8,
        cooldown=5,
        limits=((3, 60, _EACH),),
        backoff=(1, 2, 10),
        cured=("program.up", _is_down),
    ),
    "starter": Fact(
        metric="program.up",
        bad=_is_down,
        cooldown=5,
        limits=((4, 60, _EACH),),
        backoff=(1, 2, 10),
        cured=("program.up", _is_up),
    ),
}
"""By rule id."""
WITNESSED = frozenset({"box-down"})
"""Rules that act only once the toy witnesses have seen the intent."""
APPROVED = {"box-fat": 20.0}
"""Rules that act only where a person said yes, and for how many seconds that is waited for."""
JITTER = 0.2
RESET_AFTER = 60.0
BOOKS: Mapping[str, str] = {
    "steady": _STEADY.replace("HOLD", "0s"),
    "steady-slow": _STEADY.replace("HOLD", "2s"),
    "ways": ways.BOOK.replace("HOLD", "0s"),
    "ways-slow": ways.BOOK.replace("HOLD", "2s"),
    "told": _STEADY.replace("HOLD", "0s") + starts.RULES,
    "told-slow": _STEADY.replace("HOLD", "2s") + starts.RULES,
    "knobs": (_STEADY + knobs.RULES + knobs.WIDE).replace("HOLD", "0s"),
    "knobs-slow": (_STEADY + knobs.RULES).replace("HOLD", "2s"),
    "fight": _FIGHT.replace("HOLD", "0s"),
    "fight-slow": _FIGHT.replace("HOLD", "2s"),
}
RELOADS: Mapping[str, str] = {
    "steady": "steady-slow",
    "steady-slow": "steady",
    "ways": "ways-slow",
    "ways-slow": "ways",
    "told": "told-slow",
    "told-slow": "told",
    "knobs": "knobs-slow",
    "knobs-slow": "knobs",
    "fight": "fight-slow",
    "fight-slow": "fight",
}
"""What a reload turns each book into."""


@functools.cache
def rules(book: str) -> RuleSet:
    """The rules of a book, loaded as any other YAML."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{book}.yaml")
        path.write_text(BOOKS[book], encoding="utf-8")
        return loader.load([path], base=Path(folder))
