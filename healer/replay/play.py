"""The core over a recording, in virtual time: what it would have decided, and what would have stopped it."""

import bisect
import heapq
import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from healer.core.core import Core, Setup
from healer.gates.saturation import DISK_FULL
from healer.model.decision import QUIET_VERBS, Decision, Outcome, Result, Withheld
from healer.model.effect import Act, Cancel, Effect, Note, Withhold
from healer.model.event import Asked, Event, Finished, Looked, Sealed, Tick
from healer.model.memory import Memory
from healer.model.mode import Mode
from healer.model.observation import Observation, Reading, Series, Unknown
from healer.model.organism import ORGANS
from healer.model.request import Request
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.replay.thin import ALL, LOST, Cursor, Wanted, ended, relevant
from healer.replay.track import Recording, Track
from healer.rules.lines import matches
from healer.rules.rule import RuleSet
from healer.rules.syntax import selectors
from healer.rules.unparse import unparse

BEAT = 10.0
"""Seconds between looks at the clocks: recordings have a sample every ten."""
ORGANS_EVERY = 30.0
"""Seconds between looks at the organs, where rules ask for them."""
NEVER_OPENS = 1 << 30
_FOR_EVER = 1e12
_PRESSURES = ("cpu.psi.some10", "memory.psi.some10", "io.psi.some10")
_FRESH = 30.0
"""Seconds between readings of a pressure that the gates would refuse for."""
_OWN_WORDS = (".state", ".generation")
_DERIVED = frozenset({*ORGANS, "harmony", "organ", "target", "rule"})


@dataclass(slots=True, kw_only=True)
class Would:
    """One action that would have been taken."""

    rule: str
    target: str
    action: str
    at: float
    first: bool
    """Whether nothing had been done in this incident before: what comes later rests on that not having helped."""
    verdict: str = ""
    """What the recording shows of the proof; it went on without the cure, so it proves only that things got well."""


@dataclass(slots=True, kw_only=True)
class Story:
    """What a set of rules would have done."""

    fired: list[tuple[str, str, float]] = field(default_factory=list)
    """(rule, target, when) of each incident that opened."""
    would: list[Would] = field(default_factory=list)
    withheld: list[Withheld] = field(default_factory=list)
    blind: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Selectors of each rule that no recorded series matches."""
    apart: dict[str, str] = field(default_factory=dict)
    """Rules that a recording of metrics cannot start, and why."""
    samples: int = 0
    """Samples that made a difference."""


def as_if_auto(setup: Setup) -> Setup:
    """The same rules with nobody holding them back: what they would do once they are switched on."""
    rules = tuple(replace(rule, mode=Mode.AUTO) for rule in setup.rules.rules)
    return replace(
        setup,
        mode=Mode.AUTO,
        default_mode=Mode.AUTO,
        organ_modes={},
        targets=tuple(replace(target, mode=Mode.AUTO) for target in setup.targets),
        rules=RuleSet(rules=rules, hash=setup.rules.hash, files=setup.rules.files),
    )


def play(
    setup: Setup, recording: Recording, *, told: Callable[[float], None] = lambda _: None,
    judged: Callable[[Core], None] | None = None, whole: bool = False, until: float = _FOR_EVER,
) -> Story:  # fmt: skip
    """Replay a recording; ``told`` hears how far it has come, ``judged`` sees the core at the end (or at ``until``).

    ``whole``: every sample that anybody asks about is shown, so that values and ages are those of the recording.
    """
    player = _Player(setup, recording, until, whole=whole)
    for stretch in recording.stretches():
        player.stretch(stretch)
        told(player.now)
        if player.now >= until:
            break
    player.wait(min(until, max(player.now, recording.extent.end)))
    core = player.look_up()
    if judged is not None:
        judged(core)
    return player.story


class _Player:
    def __init__(self, setup: Setup, recording: Recording, until: float, *, whole: bool) -> None:
        self._whole = whole
        self.now, self._until = recording.extent.start, until
        self.story = Story()
        # Whether a cure failed nobody knows, so that failures open no breaker here.
        setup = replace(setup, brakes=replace(setup.brakes, breaker_opens_after=NEVER_OPENS))
        setup = replace(setup, beat=BEAT, organs_every=ORGANS_EVERY)
        core = Core(replace(setup, vitals=(), organs_every=math.inf), Memory(), now=self.now, wall=self.now)
        if any(_derived(one.metric) for _, expr, _ in core.evaluator.watched() for one in selectors(expr)):
            core = Core(setup, Memory(), now=self.now, wall=self.now)  # rules ask how the whole is
        self.core = core
        self._wanted = Wanted()
        for _, expr, every in core.evaluator.watched():
            self._wanted.add(expr, every=every)
        self._cursors: dict[Series, Cursor | None] = {}
        self._acted: set[str] = set()
        """Incidents in which something would have been done."""
        self._given_up: set[str] = set()
        """Incidents whose remedies would have been at their end."""
        self._verdicts: dict[str, Would] = {}
        self._rearms = 0
        self._tracks: list[Track] = []
        """Of this stretch."""
        self._events: list[tuple[float, int, int]] = []
        """(when, track, place) of what is still to be shown of it, the next one last."""
        self._extra: list[tuple[float, int, int]] = []
        """The same, of what came to be owed meanwhile, as a heap."""
        self._owed: dict[Series, float] = {}
        """Series of which the next sample after that second has to be shown, wherever it lies."""
        _account(self.story, core, recording.extent.series)
        self._take(self.core.recover())

    # The recording ---------------------------------------------------------------------------------------------

    def stretch(self, tracks: Sequence[Track]) -> None:
        """Show a stretch of the recording to the core."""
        end = max((track.times[-1] for track in tracks if track.times), default=self.now)
        self._tracks = [track for track in tracks if self._cursor(track) is not None]
        events = [
            (at, number, place)
            for number, track in enumerate(self._tracks)
            for at, place in relevant(track, self._known(track.series))
        ]
        events += self._ended(end)
        events.sort(reverse=True)
        self._events = events
        self._extra = []
        for number, track in enumerate(self._tracks):
            self._owe(number, track, self._owed.pop(track.series, _FOR_EVER))
        last = min(end, self._until)
        while self.now < last or self._next() <= last:
            # What is decided on the way may ask for a sample that nobody would have shown.
            self.wait(min(last, self._next()), heeding=True)
            if self._next() <= self.now:
                self._look(self._at(self._next()))
                self._show_again()

    def _next(self) -> float:
        """When there is something to show next."""
        events, extra = self._events, self._extra
        return min(events[-1][0] if events else _FOR_EVER, extra[0][0] if extra else _FOR_EVER)

    def _at(self, at: float) -> list[tuple[int, int]]:
        """Track and place of everything that is to be shown at that moment, each once."""
        found: dict[tuple[int, int], None] = {}
        while self._events and self._events[-1][0] == at:
            found[self._events.pop()[1:]] = None
        while self._extra and self._extra[0][0] == at:
            found[heapq.heappop(self._extra)[1:]] = None
        return sorted(found)

    def _ended(self, end: float) -> Iterator[tuple[float, int, int]]:
        """Series whose samples have stopped coming, those without one in this stretch too."""
        places = {track.series: number for number, track in enumerate(self._tracks)}
        for series, cursor in self._cursors.items():
            if cursor is None or (at := ended(cursor, end)) is None:
                continue
            if series not in places:
                places[series] = len(self._tracks)
                self._tracks.append(Track(series=series, times=(), values=()))
            yield max(at, self.now), places[series], LOST

    def _cursor(self, track: Track) -> Cursor | None:
        if track.series not in self._cursors:
            bounds, high = self._bounds(track.series), self._pressing(track.series.metric)
            if bounds is not ALL and high is not None:
                bounds = tuple(sorted({high, *(bounds or ())}))
            self._cursors[track.series] = (
                None
                if bounds is None
                else Cursor(bounds=bounds, refresh=0.0 if high is None else _FRESH, high=high or 0.0)
            )
        cursor = self._cursors[track.series]
        if cursor is not None and not cursor.gap and track.times:
            cursor.gap = _gap(track)
            # What counts sample by sample ages by itself; of the rest it is said when it ended.
            self.core.evaluator.set_max_age(track.series, cursor.gap if cursor.every else _FOR_EVER)
        return cursor if track.times else None

    def _known(self, series: Series) -> Cursor:
        """The cursor of a series that somebody asks about."""
        cursor = self._cursors[series]
        if cursor is None:
            raise LookupError(series)
        return cursor

    def _bounds(self, series: Series) -> tuple[float, ...] | None:
        asked = self._wanted.of(series)
        if asked is ALL or (asked is not None and self._whole):
            return ALL
        if series.metric in self.core.world.flags:
            return tuple(sorted({0.0, 1.0, *(asked or ())}))
        return asked or () if series.metric.endswith(_OWN_WORDS) else asked

    def _pressing(self, metric: str) -> float | None:
        """The value from which the gates hold it against a restart; they take no reading older than a minute."""
        if metric == "disk.used":
            return DISK_FULL
        return self.core.world.brakes.saturation_psi if metric in _PRESSURES else None

    def _show_again(self) -> None:
        """Where evidence was re-armed only a sample taken after now counts: each series owes its next one."""
        if self.core.evaluator.rearms == self._rearms:
            return
        self._rearms = self.core.evaluator.rearms
        counts_from = max(self.now, self.core.evaluator.rearmed_to)
        for number, track in enumerate(self._tracks):
            self._owe(number, track, counts_from)

    def _owe(self, number: int, track: Track, after: float) -> None:
        """Show the first sample after that second, in this stretch or a later one."""
        if after == _FOR_EVER:
            return
        place = bisect.bisect_right(track.times, after)
        if place < len(track.times):
            heapq.heappush(self._extra, (track.times[place], number, place))
        else:
            self._owed[track.series] = after

    def _look(self, shown: Sequence[tuple[int, int]]) -> None:
        """What all sensors saw at this moment, a look each."""
        seen: dict[str, list[Reading]] = {}
        for number, place in shown:
            track = self._tracks[number]
            series = track.series
            if place == LOST:
                reading: Reading = Unknown(
                    metric=series.metric, labels=series.labels, because="nothing recorded", at=self.now
                )
            else:
                reading = Observation(
                    metric=series.metric,
                    labels=series.labels,
                    value=track.values[place],
                    unit=_unit(series),
                    at=track.times[place],
                )
                self.story.samples += 1
            self._age(track, gone=place == LOST)
            seen.setdefault(dict(series.labels).get("target", "host"), []).append(reading)
        for sensor, readings in seen.items():
            self._handle(Looked(sensor=sensor, at=self.now, readings=tuple(readings)))

    def _age(self, track: Track, *, gone: bool) -> None:
        """What is gone is forgotten after a while, as in life; what is shown now and then does not age meanwhile."""
        cursor = self._known(track.series)
        if not cursor.every:
            self.core.evaluator.set_max_age(track.series, cursor.gap if gone else _FOR_EVER)

    # Time, and what the core wants -----------------------------------------------------------------------------

    def wait(self, until: float, *, heeding: bool = False) -> None:
        """Let time pass, tick by tick as the core asks for it; ``heeding``: no further than to what came to be owed."""
        while (due := self.core.due()) < until:
            self.now = max(self.now, due)
            self._handle(Tick(at=self.now, wall=self.now))
            if heeding:
                self._show_again()
                until = min(until, self._next())
        self.now = max(self.now, until)

    def look_up(self) -> Core:
        """The core as it is now."""
        self._handle(Tick(at=self.now, wall=self.now))
        return self.core

    def _handle(self, event: Event) -> None:
        self._take(self.core.handle(event))
        for key in [key for key in self._given_up if self.core.instances[key].cleared]:
            # The record got well, with a cure or without: the next trouble is one of its own.
            self._given_up.discard(key)
            request = Request(id=f"replay-{len(self.story.fired)}", verb="ack", subject=key, who="replay", at=self.now)
            self._take(self.core.handle(Asked(request=request)))

    def _take(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Act():
                    self._act(effect.decision)
                case Withhold():
                    self.story.withheld.append(effect.withheld)
                case Note(kind="verdict"):
                    if (would := self._verdicts.pop(str(effect.fields["id"]), None)) is not None:
                        would.verdict = str(effect.fields["result"])
                case Note(kind="state"):
                    self._moved(str(effect.fields["subject"]), str(effect.fields["to"]))
                case _:
                    pass

    def _act(self, decision: Decision) -> None:
        """Nothing is done, and everything is taken to have ended well: what follows is what was recorded."""
        answers = self.core.handle(Sealed(id=decision.id, leaf=f"{decision.id:>064}"[-64:], at=self.now))
        cancelled = [one for one in answers if isinstance(one, Cancel)]
        self._take([one for one in answers if not isinstance(one, Cancel)])
        if decision.rule and decision.action not in QUIET_VERBS and not cancelled:
            would = Would(
                rule=decision.rule,
                target=decision.target,
                action=decision.action,
                at=self.now,
                first=decision.incident not in self._acted,
            )
            self._acted.add(decision.incident)
            self._verdicts[decision.id] = would
            self.story.would.append(would)
        because = cancelled[0].because if cancelled else "replayed"
        result = Result.STALE if cancelled else Result.DONE
        outcome = Outcome(id=decision.id, result=result, because=because, at=self.now, took=0.0)
        self._handle(Finished(outcome=outcome))

    def _moved(self, subject: str, to: str) -> None:
        key = subject.removeprefix("incident:")
        if key == subject:
            return
        if to == "firing":
            rule, _, target = key.partition("@")
            self.story.fired.append((rule, target, self.now))
        elif to == "inactive":
            self._acted.discard(key)
        if to == "given-up":
            self._given_up.add(key)
        else:
            self._given_up.discard(key)


def _derived(metric: str) -> bool:
    """Whether the core itself makes it."""
    return metric.partition(".")[0] in _DERIVED


def _account(story: Story, core: Core, recorded: Sequence[Series]) -> None:
    """Say beforehand what nobody will know afterwards."""
    for rule in core.setup.rules.rules:
        if rule.trigger.kind != "auto":
            story.apart[rule.id] = f"started by {rule.trigger.kind}, which no recording of metrics holds"
    metrics: dict[str, list[Series]] = {}
    for series in recorded:
        metrics.setdefault(series.metric, []).append(series)
    for key, expr, _ in core.evaluator.watched():
        rule_id, at, _ = key.partition("@")
        for select in selectors(expr) if at else ():
            if not _derived(select.metric) and not any(matches(select, one) for one in metrics.get(select.metric, ())):
                found = story.blind.setdefault(rule_id, ())
                story.blind[rule_id] = found if unparse(select) in found else (*found, unparse(select))


def _gap(track: Track) -> float:
    """Seconds without a sample after which the series counts as lost."""
    steps = [after - before for before, after in itertools.pairwise(track.times[:100])]
    declared = METRICS[track.series.metric].max_age if track.series.metric in METRICS else BEAT
    return max(declared, 2.5 * statistics.median(steps) if steps else BEAT)


def _unit(series: Series) -> Unit:
    return METRICS[series.metric].unit if series.metric in METRICS else Unit.NUMBER
