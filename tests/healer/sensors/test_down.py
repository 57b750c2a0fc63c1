"""Of a server that is down one thing is known, and why; everything else about it is unknown."""

from healer.model.kinds import postgres, redis, tls
from healer.model.observation import Observation, Unknown, labels
from healer.sensors.down import tell_down
from healer.sensors.sane import Sieve


def told(kind, **more):
    sieve = Sieve(5.0, labels(target="it"))
    tell_down(sieve, kind, "refused", **more)
    return {reading.metric: reading for reading in sieve.readings}


def test_it_is_down_and_no_incarnation_and_says_why():
    known = {name: one.value for name, one in told(redis.KIND).items() if isinstance(one, Observation)}
    assert known == {"redis.up": 0.0, "redis.message": "refused", "redis.generation": ""}


def test_nothing_else_is_known_for_the_same_reason():
    rest = [one for one in told(redis.KIND).values() if isinstance(one, Unknown)]
    assert {one.because for one in rest} == {"refused"}
    assert "redis.memory" in {one.metric for one in rest}


def test_series_of_its_parts_are_left_alone():
    assert "redis.keys" in {metric.name for metric in redis.KIND.metrics}
    assert "redis.keys" not in told(redis.KIND)


def test_what_another_answers_for_is_spared():
    assert "postgres.pooler_up" in told(postgres.KIND)
    assert "postgres.pooler_up" not in told(postgres.KIND, spared=("postgres.pooler_up",))


def test_one_without_incarnations_is_not_said_to_have_none():
    assert set(told(tls.KIND)) == {metric.name for metric in tls.KIND.metrics}
    assert "tls.generation" not in told(tls.KIND)
