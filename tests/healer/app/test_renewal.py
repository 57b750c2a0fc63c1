import asyncio
import socket

import pytest

from healer.errors import ConfigError
from tests.healer.app.conftest import HEALS, until


def test_a_storm_of_signals_is_one_reload_and_one_after_it_is_another(place):
    def storm(agent):
        for _ in range(20):
            agent._hang_up()

    with place.agent(programs=[]) as agent:
        for reloads in (2, 3):
            agent._there(lambda: storm(agent._agent))
            until(lambda wanted=reloads: len(place.entries("rules")) == wanted, what="a reload")
            until(lambda: not agent._agent._reloading)


def test_a_signal_during_a_reload_is_not_lost(place):
    with place.agent(programs=[]) as agent:

        async def during():
            async with agent._agent._one_reload:
                agent._agent._hang_up()
                while agent._agent._reload_again:  # noqa: ASYNC110 - a flag has no event to wait for
                    await asyncio.sleep(0.01)
                agent._agent._hang_up()

        agent._await(during())
        until(lambda: len(place.entries("rules")) == 3, what="both reloads")


def test_a_signal_with_rules_that_do_not_load_is_logged_and_changes_nothing(place, caplog):
    with place.agent(programs=[]) as agent:
        place.rules("version: 2\n")
        agent._there(agent._agent._hang_up)
        until(lambda: len(place.entries("rules")) >= 2, what="the refusal")
        assert agent.status()["counts"]["rules"] == 1
        assert agent.status()["degraded"] == []
    assert [one["accepted"] for one in place.entries("rules")] == [True, False]
    assert "reload.refused" in [record.getMessage() for record in caplog.records]
    assert "r.yaml:1:10" in place.entries("rules")[1]["because"]


def test_two_reloads_at_once_follow_one_another(place):
    with place.agent(programs=[]) as agent:

        async def both():
            return await asyncio.gather(agent._agent.reload(), agent._agent.reload())

        first, second = agent._await(both())
        assert first == second
        assert agent.status()["state"] == "running"


def test_the_service_manager_hears_of_every_step(place, short):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(short / "n"))
        sock.settimeout(5)
        environ = {"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": str(short / "n"), "WATCHDOG_USEC": "1000000"}
        with place.agent(environ, programs=[]) as agent:
            agent.reload()
            place.rules("version: 2\n")
            with pytest.raises(ConfigError):
                agent.reload()
            until(lambda: agent.status()["uptime"] > 1.5)
        sock.setblocking(False)
        heard = list(iter(lambda: _first_line(sock), ""))
    fed = [word for word in heard if word == "WATCHDOG=1"]
    assert [word for word in heard if word != "WATCHDOG=1"] == [
        "READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1", "STOPPING=1",
    ]  # fmt: skip
    assert fed


def _first_line(sock):
    try:
        return sock.recv(4096).decode().split("\n")[0]
    except BlockingIOError:
        return ""


def test_a_program_that_is_declared_by_a_reload_is_started(place):
    agent = place.agent(programs=[])
    with agent as live:
        assert live.status()["targets"] == []
        agent._source = place.config()
        live.reload()
        until(lambda: live.status()["targets"][0]["generation"], what="the program")


def test_secrets_and_sealed_topics_and_channels_follow_a_reload(place):
    secret = place.folder / "token"
    secret.write_text("hunter22-hunter22\n")
    secret.chmod(0o600)
    hook = {"hook": {"kind": "webhook", "url": "http://127.0.0.1:9/", "headers": {"x": {"file": str(secret)}}}}
    agent = place.agent(programs=[], audit={"events": []})
    with agent as live:
        agent._source = place.config(programs=[], notify=hook, audit={"events": ["user.*"]})
        live.reload()
        live.ask("event", topic="user.said", data={"text": "hunter22-hunter22"})
        live._await(agent.record.flush())
        assert "hook" in agent.parts.voices
    (entry,) = place.entries("event")
    assert entry["data"] == {"text": "[redacted]"}


def test_rules_of_a_reload_are_what_a_later_start_falls_back_to(place):
    with place.agent(programs=[]) as agent:
        place.rules(HEALS.replace("cooldown: 1s", "cooldown: 2s"))
        new = agent.reload()["hash"]
    place.rules("version: 2\n")
    with place.agent(programs=[]) as agent:
        assert new[:12] in agent.status()["degraded"][0]
