import pytest

from healer.core.world import HOST, World
from healer.model.kinds.catalog import KINDS
from healer.model.limit import Brakes
from healer.model.observation import Observation, Unknown, labels
from healer.model.organism import Health
from healer.model.target import State, Target
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS

H, F, U = Health.HEALTHY, Health.FAILED, Health.UNKNOWN


def fleet(count, kind="http", **more):
    return [Target(kind=kind, name=f"w{number}", organ="lungs", **more) for number in range(count)]


@pytest.fixture
def see():
    def look(world, target, value, at, metric=""):
        metric = metric or KINDS[target.partition(":")[0]].up
        marks = labels(target=target)
        reading = (
            Unknown(metric=metric, labels=marks, because="timed out", at=at)
            if value is None
            else Observation(metric=metric, labels=marks, value=value, unit=Unit.FLAG, at=at)
        )
        return world.observe(reading)

    return look


def test_every_kind_has_one_sign_and_it_is_a_flag():
    for metric in [kind.up for kind in KINDS.values()]:
        if metric in METRICS:
            assert METRICS[metric].unit is Unit.FLAG


def test_a_change_of_health_is_told_once(see):
    world = World(fleet(1), Brakes())
    told = [see(world, "http:w0", value, at) for at, value in enumerate((1, 1, 0, 0, None, 1))]
    assert told == ["http:w0", "", "http:w0", "", "http:w0", "http:w0"]


@pytest.mark.parametrize("value", [2, -1, 0.5, "1", "up", float("nan"), float("inf")])
def test_what_is_neither_up_nor_down_is_unknown(see, value):
    world = World(fleet(1), Brakes())
    see(world, "http:w0", 1, 1.0)
    see(world, "http:w0", value, 2.0)
    assert world.health("http:w0") is U


def test_a_late_look_changes_nothing(see):
    world = World(fleet(1), Brakes())
    see(world, "http:w0", 1, 5.0)
    assert see(world, "http:w0", 0, 4.0) == ""
    assert world.health("http:w0") is H


def test_a_target_nobody_declared_is_unknown_and_stays_so(see):
    world = World(fleet(1), Brakes())
    assert see(world, "http:nobody", 0, 1.0) == ""
    assert world.health("http:nobody") is U
    assert world.recovered("http:nobody") is None


def test_recovery_is_dated_from_the_first_good_look_after_a_bad_one(see):
    world = World(fleet(1), Brakes())
    see(world, "http:w0", 1, 1.0)
    assert world.recovered("http:w0") is None, "it was never anything else"
    see(world, "http:w0", 0, 2.0)
    assert world.recovered("http:w0") is None
    see(world, "http:w0", 1, 3.0)
    see(world, "http:w0", 1, 4.0)
    assert world.recovered("http:w0") == 3.0


def test_unknown_breaks_no_failure(see):
    world = World(fleet(1), Brakes())
    for at, value in ((1.0, 1), (2.0, 0), (3.0, None), (4.0, 0)):
        see(world, "http:w0", value, at)
    assert world.signs["http:w0"].onset == 2.0


# Law 4 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "sick", "mass"),
    [(3, 2, False), (3, 3, True), (4, 2, False), (4, 3, True), (6, 2, False), (6, 3, True), (7, 3, False), (7, 4, True),
     (8, 4, True), (100, 49, False), (100, 50, True), (2, 2, False), (1, 1, False)],
)  # fmt: skip
def test_at_least_three_and_at_least_half_of_a_group_are_a_mass_failure(see, size, sick, mass):
    world = World(fleet(size), Brakes())
    for number in range(size):
        see(world, f"http:w{number}", 1, 1.0)
    for number in range(sick):
        see(world, f"http:w{number}", 0, 2.0)
    said = world.mass_failure(2.0)
    assert bool(said) is mass
    if mass:
        assert said.startswith(f"{sick} of {size} in kind http failed within 60 s")


def test_only_what_failed_within_the_window_counts(see):
    world = World(fleet(3), Brakes())
    for at, number in ((10.0, 0), (50.0, 1), (70.0, 2)):
        see(world, f"http:w{number}", 1, 1.0)
        see(world, f"http:w{number}", 0, at)
    assert world.mass_failure(70.0)
    assert not world.mass_failure(70.1)


def test_a_group_of_its_own_is_watched_too(see):
    several = [*fleet(3, groups=("front",)), *fleet(10, kind="tcp")]
    world = World(several, Brakes())
    for number in range(3):
        see(world, f"http:w{number}", 1, 1.0)
        see(world, f"http:w{number}", 0, 2.0)
    assert "in front" in world.mass_failure(2.0)


def test_unknown_is_not_sick(see):
    world = World(fleet(3), Brakes())
    for number in range(3):
        see(world, f"http:w{number}", 1, 1.0)
        see(world, f"http:w{number}", None, 2.0)
    assert world.mass_failure(2.0) == ""


def test_two_kinds_of_sensors_that_go_blind_together_are_our_own_eyes():
    world = World([], Brakes())
    for name in ("http:a", "http:b", "tcp:c", "host"):
        world.sense(name, seeing=True, at=1.0)
    world.sense("http:a", seeing=False, at=2.0, because="refused")
    world.sense("tcp:c", seeing=False, at=2.0)
    assert world.blind(2.0) == "", "one http sensor sees still"
    world.sense("http:b", seeing=False, at=3.0)
    assert world.blind(3.0) == "the sensors http and tcp went blind together"
    assert world.blind(62.0)
    assert world.blind(62.1) == "", "long ago"


def test_what_never_saw_did_not_go_blind():
    world = World([], Brakes())
    world.sense("http:a", seeing=False, at=2.0)
    world.sense("tcp:c", seeing=False, at=2.0)
    assert world.blind(2.0) == ""
    assert world.senses["http:a"].missed == 1
    world.sense("http:a", seeing=False, at=3.0)
    assert world.senses["http:a"].missed == 2
    world.sense("http:a", seeing=True, at=4.0)
    assert (world.senses["http:a"].missed, world.senses["http:a"].changed) == (0, 4.0)


# What gates ask ------------------------------------------------------------------------------------------------


def test_pressures_are_kept_for_a_minute():
    world = World([], Brakes())
    for metric, value in (("cpu.psi.some10", 0.7), ("memory.psi.some10", 0.1), ("io.psi.some10", 0.2)):
        world.observe(Observation(metric=metric, value=value, unit=Unit.RATIO, at=10.0))
    marks = labels(mount="/var")
    world.observe(Observation(metric="disk.used", labels=marks, value=0.9, unit=Unit.RATIO, at=11.0))
    assert world.pressure() == {"cpu": 0.7, "memory": 0.1, "io": 0.2, "disk:/var": 0.9}
    world.observe(Observation(metric="cpu.used", value=0.5, unit=Unit.RATIO, at=70.5))
    assert world.pressure() == {"disk:/var": 0.9}


def test_the_incarnation_last_seen_is_the_one_judged(see):
    api = Target(kind="program", name="api", organ="heart")
    world = World([api], Brakes())
    assert world.generation(api) == ""
    see(world, api.id, "12.34", 1.0, metric="program.generation")
    assert world.generation(api) == "12.34"
    see(world, api.id, None, 2.0, metric="program.generation")
    assert world.generation(api) == ""


@pytest.mark.parametrize(
    ("up", "word", "state"),
    [(1, "running", State.RUNNING), (0, "fault", State.FAULT), (None, "running", State.UNKNOWN), (1, "", State.RUNNING),
     (0, "", State.STOPPED), (1, "nonsense", State.UNKNOWN)],
)  # fmt: skip
def test_the_state_that_looks_show(see, up, word, state):
    api = Target(kind="program", name="api", organ="heart")
    world = World([api], Brakes())
    see(world, api.id, word, 1.0, metric="program.state")
    see(world, api.id, up, 1.0)
    assert world.live_state(api) is state


def test_groups_have_members_by_name_and_by_kind():
    world = World([*fleet(2, groups=("front", "edge")), Target(kind="tcp", name="x", organ="lungs")], Brakes())
    assert world.members("front") == world.members("edge") == world.members("kind http") == ("http:w0", "http:w1")
    assert world.members("nobody") == ()
    world.add(world.targets["http:w0"])
    assert world.members("front") == ("http:w0", "http:w1")
    assert world.targets["host:"] is HOST


def test_what_a_control_group_suffers_is_known_for_a_minute_and_for_its_target_only():
    world = World((), Brakes())
    for metric, value in (("cgroup.cpu.psi.some10", 0.7), ("cgroup.throttled", 0.9)):
        world.observe(Observation(metric=metric, labels=labels(target="unit:x"), value=value, unit=Unit.RATIO, at=10.0))
    assert world.strain("unit:x") == {"cpu": 0.7, "throttled": 0.9}
    assert world.strain("unit:y") == {}
    assert world.pressure() == {}
    world.observe(Observation(metric="swap.in_rate", labels=(), value=5e7, unit=Unit.BYTES_PER_SECOND, at=90.0))
    assert world.strain("unit:x") == {}
    assert world.pressure() == {"swap": 5e7}


def test_the_last_word_of_a_target_is_known_and_forgotten_when_it_is_unknown():
    world = World((), Brakes())
    marks = labels(target="http:x")
    world.observe(Observation(metric="http.message", labels=marks, value="TLS failed", unit=Unit.WORD, at=1.0))
    assert world.word("http.message", "http:x") == "TLS failed"
    world.observe(Unknown(metric="http.message", labels=marks, because="gone", at=2.0))
    assert world.word("http.message", "http:x") == ""
