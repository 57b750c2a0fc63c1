from doubles.engine import FakeEngine

from healer.cli.proposing.containers import containers
from healer.drivers.docker_engine import Engine


def test_containers_that_run_are_found_and_put_into_their_organ(tmp_path):
    engine = FakeEngine(tmp_path)
    engine.start()
    for name in ("shop", "db-redis", "dead"):
        engine.make(name)
    engine.die("dead")
    found = list(containers(Engine(engine.url)))
    engine.stop()
    assert [(one.id, one.organ) for one in found] == [("container:db-redis", "stomach"), ("container:shop", "heart")]
    assert found[0].because == "it runs in Docker, of box:1"


def test_an_engine_that_is_not_there_has_none():
    assert list(containers(Engine("unix:///nonexistent.sock"))) == []
