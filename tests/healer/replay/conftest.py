"""Rules, recordings and a plain way to replay, without leaving any sample out."""

import math
from dataclasses import dataclass, field

import pytest

from healer.core.core import Setup
from healer.model.mode import Mode
from healer.model.target import Target
from healer.model.vocabulary import METRICS
from healer.replay.track import Extent, Track
from healer.rules import expression
from healer.rules.rule import Position, Rule, RuleSet, Step, Verify

START = 1_790_000_000.0


@dataclass
class Tape:
    """A recording in memory, in stretches of so many samples."""

    tracks: list
    size: int = 50
    ignored: dict = field(default_factory=dict)

    @property
    def extent(self):
        times = [at for track in self.tracks for at in track.times]
        series = tuple(track.series for track in self.tracks)
        return Extent(start=min(times), end=max(times), series=series, ignored=self.ignored)

    def stretches(self):
        whole, first = self.extent, math.floor(self.extent.start)
        while first <= whole.end:
            last = first + 10 * self.size
            cut = [
                [(at, value) for at, value in zip(one.times, one.values, strict=True) if first <= at < last]
                for one in self.tracks
            ]
            yield [
                Track(series=one.series, times=[at for at, _ in part], values=[value for _, value in part])
                for one, part in zip(self.tracks, cut, strict=True)
                if part
            ]
            first = last


def parsed(text):
    return expression.parse(text, vocabulary=METRICS)


def rule(when, *, id="r", target="program:api", verify="", **more):  # noqa: A002 - the word of the field
    proof = Verify(when=parsed(verify), source=verify, within=more.pop("within", 60.0)) if verify else None
    return Rule(
        id=id,
        position=Position(file="r.yaml", line=1, column=1),
        target=target,
        when=parsed(when),
        when_source=when,
        then=more.pop("then", (Step(action="restart", verify=proof),)),
        mode=more.pop("mode", Mode.AUTO),
        **more,
    )


def setup(*rules, **more):
    targets = (Target(kind="program", name="api", organ="heart"), Target(kind="program", name="db", organ="heart"))
    return Setup(node="n", boot="b", targets=targets, rules=RuleSet(rules=rules, hash="h", files=("r.yaml",)), **more)


@pytest.fixture
def tape():
    return Tape
