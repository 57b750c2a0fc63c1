"""An agent beside a real dockerd: it heals one container at once, and an engine's own trouble not at all."""

import os
import signal
import time

import pytest
from doubles.dockerd import Dockerd

from audit import canonical
from audit.reader import Log
from healer.app import Agent

pytestmark = pytest.mark.real
RULES = """\
version: 1
rules:
  - id: down
    why: it should run
    each: {kind: container}
    when: container.up{target} == 0
    for: 1s
    cooldown: 1s
    mode: auto
    then: [{restart: {}, verify: {when: "container.up{target} == 1", within: 10s}}]
  - id: crowded
    why: it needs room while it is crowded
    each: {kind: container, name: "crowd*"}
    when: container.pids{target} > 1
    clear: container.pids{target} == 1
    clear_for: 1s
    cooldown: 1s
    mode: auto
    then: [{adjust: {tasks: "+50%"}, verify: {when: "container.up{target} == 1", within: 10s}}]
"""


@pytest.fixture(scope="module")
def engine(real):
    real("dockerd", "busybox", root=True)
    made = Dockerd()
    made.start()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def empty(engine):
    yield
    engine.empty()


@pytest.fixture
def agent(engine, tmp_path, monkeypatch):
    """Starts an agent that looks after containers of these names; its log is ``agent.state_dir``."""
    monkeypatch.setenv("DOCKER_HOST", engine.url)
    (tmp_path / "rules.yaml").write_text(RULES)
    running = []

    def start(*names, **more):
        config = {
            "node": "here",
            "rules": {"files": [str(tmp_path / "rules.yaml")]},
            "targets": [
                {"kind": "container", "name": name, "every": "0.5s", "startup_grace": "200ms"} for name in names
            ],
            "limits": {"saturation_psi": 1.0},
            **more,
        }
        made = Agent(config, state_dir=tmp_path / "s", environ={"PATH": "/usr/bin:/bin"})
        made.__enter__()
        running.append(made)
        return made

    yield start
    for one in running:
        one.__exit__(None, None, None)


def entries(agent, *kinds):
    with Log.open(agent.state_dir) as log:
        found = [canonical.decode(sealed.octets) for sealed in log.entries(0)]
    return [entry for entry in found if entry["kind"] in kinds]


def until(check, within=15.0, what="it"):
    end = time.monotonic() + within
    while not (found := check()):
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.02)
    return found


def health(agent):
    """What it thinks of each of its containers."""
    return {one["id"].partition(":")[2]: one["health"] for one in agent.status()["targets"] if "container" in one["id"]}


def well(agent):
    return set(health(agent).values()) == {"healthy"} and agent.parts.docker.events.open


def test_a_container_that_is_killed_runs_again_with_a_sealed_intent_in_between(engine, agent):
    engine.make("web")
    healing = agent("web")
    until(lambda: well(healing), what="a look")
    old = engine.client.inspect_container("web")["State"]
    killed = time.monotonic()
    os.kill(old["Pid"], signal.SIGKILL)
    until(lambda: (now := engine.client.inspect_container("web")["State"])["Running"] and now["Pid"] != old["Pid"])
    print(f"killed -> running again in {(time.monotonic() - killed) * 1e3:.0f} ms")
    verdict = until(lambda: entries(healing, "verdict"), what="the verdict")[0]
    assert verdict["result"] == "verified"
    intent = entries(healing, "intent")[0]
    assert (intent["action"], intent["target"]) == ("restart", "container:web")


def test_an_engine_that_went_and_left_them_all_dead_is_one_message_and_no_restart(engine, agent):
    names = ("one", "two", "three", "four")
    for name in names:
        engine.make(name)
    healing = agent(*names)
    until(lambda: well(healing), what="a look")
    engine.stop()
    until(lambda: set(health(healing).values()) == {"unknown"}, what="an engine that is away is no word about any")
    driver = healing.status()["drivers"][0]
    assert (driver["name"], driver["state"]) == ("docker", "lost")
    assert "cannot reach the container engine" in driver["because"]
    engine.start()
    because = until(lambda: healing.status()["safe_mode"], what="safe mode")
    assert "in kind container failed within 60 s" in because
    until(lambda: entries(healing, "withheld"), what="the withholding")
    assert [entry["action"] for entry in entries(healing, "intent")] == ["notify"]
    assert {entry["gate"] for entry in entries(healing, "withheld")} == {"mass_failure"}
    assert not any(engine.client.inspect_container(name)["State"]["Running"] for name in names)


def test_a_container_that_labels_itself_is_looked_after_while_it_is_there(engine, agent):
    engine.make("web")
    discover = {"docker": {"discover": True, "every": "1s", "mode": "auto"}}
    healing = agent("web", sensors=discover)
    labels = {"healer.enable": "true", "healer.organ": "stomach", "healer.command": "rm -rf /"}
    engine.make("cache", labels=labels)
    engine.make("shy", labels={**labels, "healer.mode": "observe"})
    until(lambda: health(healing) == {"web": "healthy", "cache": "healthy", "shy": "healthy"}, what="the finding")
    found = {target.name: target for target in healing.config.targets}
    assert (found["cache"].organ, found["cache"].mode.word) == ("stomach", "auto")
    assert "command" not in found["cache"].spec
    engine.die("cache")
    until(lambda: engine.client.inspect_container("cache")["State"]["Running"], what="the healing")
    engine.die("shy")
    until(lambda: [one for one in entries(healing, "withheld") if one["gate"] == "mode"], what="the withholding")
    for name in ("cache", "shy"):
        engine.remove(name)
    until(lambda: set(health(healing)) == {"web"}, what="the end of it")
    said = lambda: " ".join(entry["because"] for entry in entries(healing, "rules"))  # noqa: E731 - asked again
    until(lambda: "-container:cache" in said(), what="the seal on its end")
    assert "+container:cache" in said()


def test_what_an_incident_changed_is_put_back_when_it_is_over(engine, agent):
    engine.make("crowd", pids=50)
    healing = agent("crowd")
    until(lambda: well(healing), what="a look")
    guest = engine.client.exec_create("crowd", ["/bin/busybox", "sleep", "3"])
    engine.client.exec_start(guest["Id"], detach=True)

    def limit():
        return engine.client.inspect_container("crowd")["HostConfig"]["PidsLimit"]

    until(lambda: limit() == 75, what="the room")
    until(lambda: limit() == 50, what="the end of it")
    intents = until(lambda: (found := entries(healing, "intent"))[1:] and found, what="the seal on it")
    assert [entry["action"] for entry in intents] == ["adjust", "adjust"]
    assert intents[1]["undoes"]
