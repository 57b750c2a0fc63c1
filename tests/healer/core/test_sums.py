import pytest

from healer.core.sums import Restarts, target_sums
from healer.model.observation import Observation, Series, Unknown, labels
from healer.model.target import Target
from healer.model.vocabulary import METRICS

API = Target(kind="program", name="api", organ="heart")
JOB = Target(kind="container", name="job", organ="heart")
FRONT = Target(kind="http", name="front", organ="lungs")
FLAG_FILE = Target(kind="file", name="flag", organ="stomach")
RUNNING = {
    ("program.up", "program:api"): 1,
    ("program.cpu", "program:api"): 1.5,
    ("program.memory", "program:api"): 100,
    ("container.up", "container:job"): 1,
    ("container.cpu", "container:job"): 0.5,
    ("container.memory", "container:job"): 300,
    ("http.ok", "http:front"): 1,
    ("self.cpu", ""): 0.04,
    ("self.memory", ""): 50,
}


def sums(targets, known, *, memory_total=1000.0, restarts=None):
    said = target_sums(
        targets,
        lambda metric, target: known.get((metric, target)),
        cores=4,
        memory_total=memory_total,
        at=7.0,
        restarts=restarts,
    )
    return {reading.series: reading for reading in said}


def of(said, metric, organ="heart"):
    reading = said[Series(metric, labels(organ=organ))]
    return reading.value if isinstance(reading, Observation) else reading


def test_load_and_memory_are_shares_of_the_whole_host():
    said = sums([API, JOB], RUNNING)
    assert of(said, "organ.load") == pytest.approx(0.5)
    assert of(said, "organ.memory") == pytest.approx(0.4)
    assert of(said, "organ.up") == 1.0
    assert {reading.at for reading in said.values()} == {7.0}


def test_the_agent_is_counted_in_the_brain():
    said = sums([], RUNNING)
    assert of(said, "organ.load", "brain") == pytest.approx(0.01)
    assert of(said, "organ.memory", "brain") == pytest.approx(0.05)
    assert of(sums([], {}), "organ.load", "brain").because == "cpu of the agent is unknown"


def test_an_organ_without_targets_says_nothing():
    assert {dict(series.labels)["organ"] for series in sums([], RUNNING)} == {"brain"}


def test_what_is_down_uses_nothing_and_counts_as_down():
    said = sums([API, JOB], RUNNING | {("program.up", "program:api"): 0, ("program.cpu", "program:api"): None})
    assert of(said, "organ.up") == 0.5
    assert of(said, "organ.load") == pytest.approx(0.125)


def test_a_sum_that_lacks_a_part_is_unknown_and_names_it():
    said = sums([API, JOB], RUNNING | {("container.cpu", "container:job"): None})
    assert of(said, "organ.load").because == "cpu of container:job is unknown"
    assert of(said, "organ.memory") == pytest.approx(0.4)


def test_a_target_nobody_can_see_is_neither_up_nor_down():
    for seen in (0, 1):
        blind = RUNNING | {("container.up", "container:job"): None, ("program.up", "program:api"): seen}
        assert of(sums([API, JOB], blind), "organ.up") == seen
    assert isinstance(of(sums([JOB], {}), "organ.up"), Unknown)


@pytest.mark.parametrize("total", [None, 0.0])
def test_without_the_hosts_size_memory_is_unknown(total):
    assert isinstance(of(sums([API], RUNNING, memory_total=total), "organ.memory"), Unknown)


def test_a_probe_has_a_share_but_no_use_and_a_file_has_neither():
    said = sums([FRONT, FLAG_FILE], RUNNING)
    assert of(said, "organ.up", "lungs") == 1.0
    assert Series("organ.load", labels(organ="lungs")) not in said
    assert not [series for series in said if series.labels == labels(organ="stomach")]


def test_restarts_are_counted_from_the_first_look_on_within_ten_minutes():
    restarts = Restarts()
    for at, count in ((0, 7), (10, 8), (20, 8), (30, 11), (31, None)):
        restarts.feel("program:api", count, at)
    assert restarts.recent("program:api", 40) == 4
    assert restarts.recent("program:api", 615) == 3
    assert restarts.recent("program:api", 700) == 0
    assert restarts.recent("program:other", 40) is None


def test_a_counter_that_began_again_counts_from_zero():
    restarts = Restarts()
    for at, count in ((0, 100), (10, 2)):
        restarts.feel("container:job", count, at)
    assert restarts.recent("container:job", 20) == 2


def test_a_target_that_restarts_for_ever_is_remembered_in_bounded_space():
    restarts = Restarts()
    for count in range(10_000):
        restarts.feel("program:api", count, count / 100)
    assert 100 < restarts.recent("program:api", 100.0) <= 10_000
    assert len(restarts._seen["program:api"]) <= 256


def test_an_organ_sums_the_restarts_of_its_targets():
    restarts = Restarts()
    assert isinstance(of(sums([API, JOB], RUNNING, restarts=restarts), "organ.restarts"), Unknown)
    for count in (0, 2):
        restarts.feel("program:api", count, 1.0)
    assert of(sums([API, JOB], RUNNING, restarts=restarts), "organ.restarts") == 2


def test_everything_said_is_declared_with_its_unit():
    restarts = Restarts()
    restarts.feel("program:api", 0, 0.0)
    for reading in sums([API, JOB, FRONT], RUNNING, restarts=restarts).values():
        assert reading.unit is METRICS[reading.metric].unit
        assert tuple(name for name, _ in reading.labels) == METRICS[reading.metric].labels
