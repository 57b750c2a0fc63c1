"""Every system can be shown or says what it misses; what was started is ended, also when the next does not start."""

from typing import ClassVar

import pytest

from healer.config import load_config
from healer.demo import ward
from healer.demo.patients import RULES, Patient, System
from healer.demo.ward import SYSTEMS, look, opened, organism
from healer.errors import HealerError
from healer.rules.load import load


def test_the_four_of_them_are_shown_or_missed():
    here, missing = look()
    assert {one.name for one in here} | set(missing) == {"unit", "container", "postgres", "haproxy"}
    assert not {one.name for one in here} & set(missing)
    assert all(missing.values())


def test_each_has_a_rule_that_is_to_heal_it(tmp_path):
    rules = {rule.id for rule in load([RULES]).rules}
    patients = [kind(tmp_path, "t").patient for kind in SYSTEMS]
    assert {one.rule for one in patients} == rules
    assert all(one.target in one.watched for one in patients)


class Toy(System):
    name = "toy"
    said: ClassVar[list[str]] = []

    @classmethod
    def missing(cls):
        return ""

    @property
    def patient(self):
        return Patient(name="toy", fault="f", rule="r", target="tcp:x", watched=(), words="w")

    def start(self):
        self.said.append("started")
        return [{"kind": "tcp", "name": "x", "port": 1}]

    def strike(self):
        """Never."""

    def close(self):
        self.said.append("ended")


class Broken(Toy):
    name = "broken"

    def start(self):
        raise HealerError("it does not start")


def test_what_was_started_is_ended_when_the_next_one_does_not_start(tmp_path):
    Toy.said.clear()
    with pytest.raises(HealerError, match="does not start"), opened([Toy, Broken], tmp_path, "t"):
        pytest.fail("nothing is shown")
    assert Toy.said == ["started", "ended", "ended"]


def test_its_organism_is_a_sound_configuration(tmp_path):
    with opened([Toy], tmp_path, "t") as (systems, targets):
        config = load_config(organism(targets, "/run/x.sock"), environ={})
    assert [one.id for one in config.targets] == ["tcp:x"]
    assert [one.name for one in systems] == ["toy"]


def test_where_engines_are_is_all_it_takes_from_its_surroundings():
    given = {"DOCKER_HOST": "unix:///x", "HEALER_MODE": "off", "PATH": "/bin"}
    assert ward.environment(given) == {"DOCKER_HOST": "unix:///x", "PATH": "/bin"}
