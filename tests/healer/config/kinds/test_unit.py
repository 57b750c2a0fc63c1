"""Keys of a unit."""

import pytest

from healer.config.targets import TARGET
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad


def read(text, tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(text)
    problems = Problems()
    try:
        return TARGET.read(document.read(path, problems).root, problems), problems
    except Bad:
        return None, problems


@pytest.mark.parametrize("name", ["nginx", "nginx.service", "web@.service", "web@a-b.service", r"dev-x\x2dy.device"])
@pytest.mark.parametrize("bus", ["system", "user", "unix:path=/run/dbus/system_bus_socket"])
def test_every_name_that_systemd_knows_can_be_written(tmp_path, name, bus):
    spec = read(f"{{kind: unit, name: x, unit: '{name}', bus: '{bus}'}}", tmp_path)[0].spec
    assert (spec["unit"], spec["bus"]) == (name, bus)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("unit: ../../etc/passwd", "the name of a unit"),
        ("unit: ''", "the name of a unit"),
        ("unit: 'a b'", "the name of a unit"),
        ("bus: nowhere", "system, user, or an address"),
        ("unit: web@.service, instances: {least: 3, most: 1}", "least is more than most"),
        ("unit: web@.service, instances: {}", "most"),
        ("unit: web.service, instances: {most: 3}", "only a template has instances"),
        ("bounds: {cpu: 0}", "out of bounds"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path, text, says):
    found, problems = read(f"{{kind: unit, name: x, {text}}}", tmp_path)
    assert found is None
    assert says in str([str(one) for one in problems.found])


def test_how_many_and_how_much_is_declared(tmp_path):
    text = "{kind: unit, name: web@.service, instances: {most: 4}, bounds: {memory: 1GiB}}"
    spec = read(text, tmp_path)[0].spec
    assert spec["instances"] == {"least": 1, "most": 4}
    assert spec["bounds"] == {"memory": 2.0**30}
