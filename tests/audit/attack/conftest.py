"""One demonstration log for all tests of the red team, attacked once in every way; attacks never change it."""

import os
from collections import defaultdict
from dataclasses import dataclass

import pytest

from audit.attack import book, demo, referee
from audit.attack.case import Case
from audit.attack.world import World


@dataclass(frozen=True)
class Run:
    """What came of every attack, by family, and what it cost."""

    outcomes: dict[str, list[referee.Outcome]]
    cpu_s: float


def spent() -> float:
    """Processor time of this process and its children: the clock on the wall is everybody's."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> World:
    return demo.make(tmp_path_factory.mktemp("attacked"))


@pytest.fixture(scope="session")
def whole_run(world) -> Run:
    begun, outcomes = spent(), defaultdict(list)
    for outcome in referee.run(world, book.attacks()):
        outcomes[outcome.attack.family].append(outcome)
    return Run(outcomes, spent() - begun)


@pytest.fixture
def case(world, tmp_path) -> Case:
    return Case(world=world, place=tmp_path / "case")


@pytest.fixture
def as_they_must(whole_run):
    """Claim that every attack of a family was made, and seen as it must be; return how many they are."""

    def claim(family: str) -> int:
        outcomes = whole_run.outcomes[family]
        assert [(one.attack.name, one.cells) for one in outcomes if one.bad] == []
        assert [(one.attack.name, one.skipped, one.failed) for one in outcomes if not one.cells] == []
        return len(outcomes)

    return claim


@pytest.fixture
def found_out(world, monkeypatch):
    """Claim that a verifier that lacks a check makes the run fail: each of ``loose`` is (where, what, instead)."""

    def claim(name: str, *loose: tuple[object, str, object]) -> None:
        (good,) = referee.run(world, book.attacks(name))
        assert not good.bad
        for where, what, instead in loose:
            monkeypatch.setattr(where, what, instead)
        (outcome,) = referee.run(world, book.attacks(name))
        assert outcome.bad, outcome.cells

    return claim
