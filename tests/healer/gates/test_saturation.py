import pytest

from healer.gates import order, saturation
from healer.model.organism import Health


@pytest.fixture
def alive(question, view):
    view.healths = {"unit:nginx": Health.HEALTHY}
    return question


@pytest.mark.parametrize("what", ["cpu", "memory", "io"])
def test_a_starved_host_gets_no_restart_of_what_still_runs(alive, view, what):
    view.pressures = {what: 0.61}
    assert saturation.ask(alive()).because == f"{what} pressure is 61%: a restart cannot cure overload"
    view.pressures = {what: 0.6}
    assert saturation.ask(alive()) is None


def test_what_nobody_can_see_is_not_known_to_be_down(question, view):
    view.pressures = {"cpu": 0.9}
    assert saturation.ask(question()) is not None


def test_what_is_down_gains_from_a_start_whatever_the_load(question, view):
    view.healths, view.pressures = {"unit:nginx": Health.FAILED}, {"cpu": 0.99, "disk:/": 1.0}
    assert saturation.ask(question()) is None


def test_what_disturbs_nobody_may_be_done(alive, view):
    view.pressures = {"cpu": 0.99}
    assert saturation.ask(alive(disruptive=False)) is None


def test_a_full_disk_wants_space_and_not_a_restart(alive, view):
    view.pressures = {"disk:/var": 0.99}
    assert saturation.ask(alive()).because.startswith("/var is full")
    view.pressures = {"disk:/var": 0.98}
    assert saturation.ask(alive()) is None, "a disk is no pressure: 98% used is not overload"


def test_no_pressure_known_is_none_held_against_anybody(alive):
    assert saturation.ask(alive()) is None


def test_a_full_disk_elsewhere_is_no_reason_for_what_says_where_it_lives(alive, view, target):
    view.pressures = {"disk:/": 0.2, "disk:/var": 1.0, "disk:/var/lib": 0.5}
    on = lambda *volumes: alive(target=target(spec={"volumes": volumes}))  # noqa: E731 - said where it is used
    assert saturation.ask(on("/srv")) is None
    assert saturation.ask(on("/var/lib/app")) is None
    refused = saturation.ask(on("/srv", "/var/log"))
    assert refused.because.startswith("/var is full")
    assert refused.proposal == "free space on /var"
    assert saturation.ask(on("/variable")) is None


def test_a_host_that_reads_back_from_swap_is_thrashing(alive, view):
    view.pressures = {"swap": 32 * 2.0**20}
    refused = saturation.ask(alive())
    assert refused.because == "the host reads 32 MiB/s back from swap: a restart adds to it"
    assert "memory" in refused.proposal
    view.pressures = {"swap": 2.0**20}
    assert saturation.ask(alive()) is None


@pytest.mark.parametrize(
    ("strain", "words"),
    [
        ({"throttled": 0.8}, "the CPU quota of unit:nginx stops it in 80% of all periods"),
        ({"cpu": 0.7}, "cpu pressure within unit:nginx is 70%"),
        ({"memory": 0.61}, "memory pressure within unit:nginx is 61%"),
    ],
)
def test_a_share_that_is_too_small_is_not_made_larger_by_a_restart(alive, view, strain, words):
    view.strains = {"unit:nginx": strain}
    refused = saturation.ask(alive())
    assert refused.because.startswith(words)
    assert "unit:nginx" in refused.proposal
    view.strains = {"unit:other": strain}
    assert saturation.ask(alive()) is None
    view.strains = {"unit:nginx": dict.fromkeys(strain, 0.3)}
    assert saturation.ask(alive()) is None


@pytest.fixture
def checked(alive, view, target):
    """A target whose configuration is tested."""
    return lambda **more: alive(target=target(spec={"config_check": "command:nginx-t"}), **more)


@pytest.mark.parametrize("action", ["restart", "reload", "start"])
def test_what_cannot_read_its_configuration_is_not_started_not_even_when_it_is_down(checked, view, action):
    view.healths["command:nginx-t"] = Health.HEALTHY
    assert saturation.ask(checked(action=action)) is None
    view.healths["command:nginx-t"] = Health.FAILED
    for health in (Health.HEALTHY, Health.FAILED, Health.UNKNOWN):
        view.healths["unit:nginx"] = health
        refused = saturation.ask(checked(action=action))
        assert "the configuration of unit:nginx is not valid (command:nginx-t says so)" in refused.because
        assert refused.proposal == "correct the configuration until command:nginx-t passes"
    assert saturation.ask(checked(action="stop", disruptive=True)) is None


def test_a_configuration_nobody_could_test_is_not_risked_where_something_still_runs(checked, view):
    assert "nobody knows whether the configuration" in saturation.ask(checked()).because
    view.healths["unit:nginx"] = Health.FAILED
    assert saturation.ask(checked()) is None


def test_an_expired_certificate_is_not_renewed_by_a_restart(alive, view, target):
    view.words = {("http.message", "http:front"): "TLS: certificate verify failed: certificate has expired"}
    refused = saturation.ask(alive(incident="r@http:front"))
    assert refused.because == "the certificate of http:front has expired: a restart does not renew it"
    assert refused.proposal == "renew the certificate of http:front, then reload what serves it"
    assert saturation.ask(alive(incident="r@http:front", action="reload")) is None
    assert saturation.ask(alive(incident="r@http:other")) is None
    view.words = {("http.message", "http:front"): "status 503"}
    assert saturation.ask(alive(incident="r@http:front")) is None


@pytest.mark.parametrize("garbage", [{"cpu": "much"}, {"disk:/": None}, {"swap": "x"}])
def test_garbage_says_no(alive, view, garbage):
    view.pressures = garbage
    assert not {one.gate: one for one in order.ask_all(alive())}["saturation"].ok
