import copy
import json
import re
from pathlib import Path

import pytest

from healer.config import find, load_config
from healer.config import load as module
from healer.config.fields import document as shape
from healer.config.values import Retention
from healer.errors import ConfigError
from healer.model.kinds.catalog import KINDS
from healer.model.limit import Budget
from healer.rules.vitals import check_vital
from healer.yamldoc.compose import compose
from healer.yamldoc.mark import Problems
from healer.yamldoc.plain import value
from healer.yamldoc.reference import keys

CHECKOUT = Path(__file__).resolve().parents[3]
SHIPPED = CHECKOUT / "organism.yaml"
NAMED_BY_AUTHORS = {
    "queries",
    "updates",
    "settings",
    "env",
    "labels",
    "headers",
    "series",
    "metrics",
    "vitals",
    "notify",
    "body",
    "accepted",
    "patterns",
}


def uncommented():
    """The shipped file with every key switched on, examples too."""
    text = SHIPPED.read_text(encoding="utf-8")
    text = re.sub(r"^#: ?", "", text, flags=re.MULTILINE)
    return re.sub(r"^# ( *[a-z_]+:.*)$", r"\1", text, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def everything():
    problems = Problems()
    data = value(compose(uncommented(), "organism.yaml", problems))
    assert not problems
    return data


def places(data, path=()):
    """Every place in nested data."""
    if isinstance(data, dict):
        for key, held in data.items():
            yield (*path, key)
            yield from places(held, (*path, key))
    if isinstance(data, list):
        for index, held in enumerate(data):
            yield (*path, index)
            yield from places(held, (*path, index))


def changed(data, path, change):
    copied = copy.deepcopy(data)
    held = copied
    for key in path[:-1]:
        held = held[key]
    change(held, path[-1])
    return copied


def refuses(data):
    with pytest.raises(ConfigError) as error:
        load_config(data, environ={}, check=check_vital)
    assert error.value.problems
    return error.value.problems


def test_the_shipped_file_loads_and_is_what_one_has_without_a_file():
    shipped = load_config(SHIPPED, environ={}, check=check_vital)
    nothing = load_config({}, environ={})
    for name in (
        "mode",
        "profile",
        "limits",
        "harmony",
        "audit",
        "store",
        "api",
        "sensors",
        "vitals",
        "notify",
        "targets",
    ):
        assert getattr(shipped, name) == getattr(nothing, name), name
    assert shipped.source == str(SHIPPED)


def test_the_shipped_file_loads_with_every_example_switched_on(tmp_path):
    (tmp_path / "organism.yaml").write_text(uncommented(), encoding="utf-8")
    config = load_config(tmp_path / "organism.yaml", environ={}, check=check_vital)
    assert {target.kind for target in config.targets} == set(KINDS)


def test_commented_defaults_are_the_real_ones(tmp_path):
    text = re.sub(r"^# ( *[a-z_]+:.*)$", r"\1", SHIPPED.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (tmp_path / "organism.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "rules").mkdir()
    written = load_config(tmp_path / "organism.yaml", environ={})
    nothing = load_config({}, environ={})
    for name in ("profile", "limits", "harmony", "audit", "store", "sensors", "plugins", "reflect_every"):
        assert getattr(written, name) == getattr(nothing, name), name


def test_every_key_there_is_stands_in_the_shipped_file():
    text = SHIPPED.read_text(encoding="utf-8")
    for path, field in keys(shape()):
        assert re.search(rf"[\s{{(]{field.name}:|\b{field.name}\b.*\ball kinds\b|{field.name} is", text), path


def test_the_specifications_example_loads(tmp_path):
    (tmp_path / "organism.yaml").write_text(
        """\
version: 1
mode: auto                       # the ceiling for everything; rules.default_mode below is what a rule has unless it says
rules: {files: [rules/*.yaml], default_mode: observe}
programs:
  - name: api
    organ: heart
    command: [python3, -m, http.server, "8088", --bind, 127.0.0.1]
    ready: {http: "http://127.0.0.1:8088/", within: 5s}
    on_stop: keep
targets:
  - {kind: http, name: front, organ: lungs, url: "http://127.0.0.1:8088/", every: 1s, timeout: 1s, requires: [program:api]}
  - {kind: unit, name: nginx.service, organ: heart, groups: [web], mode: approve}
organs:
  stomach:
    vitals:
      root: {value: 'disk.used{mount="/"}', healthy: 80%, critical: 97%, weight: 2}
limits: {actions_per_hour: 60, concurrent: 4, group_unavailable: 1}
audit: {anchor: [], events: ["security.*", "service.*"]}
""",  # noqa: E501 - as the specification has it
        encoding="utf-8",
    )
    config = load_config(tmp_path / "organism.yaml", environ={}, check=check_vital)
    assert [target.id for target in config.targets] == ["program:api", "http:front", "unit:nginx.service"]
    assert config.audit.events == ("security.*", "service.*")
    (root,) = (vital for vital in config.vitals if vital.id == "stomach.root")
    assert (root.healthy, root.critical, root.weight) == (0.8, 0.97, 2.0)


def test_every_key_blanked_is_an_error(everything):
    for path in places(everything):
        refuses(changed(everything, path, lambda held, key: held.__setitem__(key, None)))


def test_every_key_mistyped_is_an_error_that_names_it(everything):
    for path in places(everything):
        if isinstance(path[-1], int) or NAMED_BY_AUTHORS & set(path[-2:-1]):
            continue
        told = refuses(changed(everything, path, lambda held, key: held.__setitem__(key + "x", held.pop(key))))
        assert any(f"{path[-1]}x" in line or "kind" in line for line in told), (path, told)


@pytest.mark.parametrize("wrong", [{"x": [{}]}, [[]], -1, 1e300, True, "\x7f", "x" * 10_000])
def test_every_value_of_a_wrong_kind_is_a_list_of_problems_or_right(everything, wrong):
    refused = 0
    for path in places(everything):
        try:
            load_config(changed(everything, path, lambda held, key: held.__setitem__(key, wrong)), environ={})
        except ConfigError as error:
            refused += 1
            assert error.problems  # noqa: PT017 - either is fine, a traceback is not
    assert refused


def test_a_mistake_in_a_vital_has_its_own_column(tmp_path):
    (tmp_path / "f.yaml").write_text(
        "version: 1\norgans: {heart: {vitals: {x: {value: 'max(disk.usd)', healthy: 1, critical: 2}}}}\n"
    )
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "f.yaml", environ={}, check=check_vital)
    (only,) = error.value.problems
    assert f"{tmp_path}/f.yaml:2:43: unknown metric 'disk.usd'" in only


@pytest.mark.parametrize(
    ("vital", "says"),
    [
        ({"value": "harmony", "healthy": 1}, "has no critical"),
        ({"healthy": 1, "critical": 2}, "has no value"),
        ({"value": "harmony", "healthy": 1, "critical": 1}, "are the same"),
        ({}, "has no value, healthy, critical"),
    ],
)
def test_a_vital_must_be_whole(vital, says):
    assert says in refuses({"organs": {"heart": {"vitals": {"own": vital}}}})[0]


def test_a_default_vital_is_changed_in_part_or_left_out():
    config = load_config(
        {"organs": {"stomach": {"vitals": {"disk": {"critical": "99%"}, "inodes": {"weight": 0}}}}}, environ={}
    )
    found = {vital.id: vital for vital in config.vitals}
    assert (found["stomach.disk"].value, found["stomach.disk"].critical) == ("max(disk.used)", 0.99)
    assert "stomach.inodes" not in found


def test_no_file_named_is_looked_for_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SYSTEM", tmp_path / "etc" / "organism.yaml")
    monkeypatch.chdir(tmp_path)
    assert find({"HEALER_CONFIG": "/x/y.yaml"}) == Path("/x/y.yaml")
    assert find({}) == SHIPPED
    (tmp_path / "organism.yaml").write_text("version: 1\nnode: here\n")
    assert load_config(None, environ={}).node == "here"
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "organism.yaml").write_text("version: 1\nnode: etc\n")
    assert load_config(None, environ={}).node == "etc"


def test_a_file_that_is_none_is_one_sentence(tmp_path):
    for path in (tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(ConfigError) as error:
            load_config(path, environ={})
        assert len(error.value.problems) == 1


def test_the_hash_changes_with_the_file_and_only_then(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_text("version: 1\n")
    first = load_config(path, environ={}).hash
    assert load_config(path, environ={}).hash == first
    path.write_text("version: 1\n\n")
    assert load_config(path, environ={}).hash != first
    assert load_config({"node": "a"}, environ={}).hash != load_config({"node": "b"}, environ={}).hash


def test_a_thousand_targets_load_quickly_enough_to_reload(everything):
    targets = [
        {"kind": "tcp", "name": f"t{n}", "port": 1, "requires": [f"tcp:t{n - 1}"] if n else []} for n in range(1000)
    ]
    assert len(load_config(json.loads(json.dumps({"targets": targets})), environ={}).targets) == 1000


def test_what_the_log_conceals_keeps_and_where_it_lies():
    config = load_config(
        {
            "version": 1,
            "audit": {
                "conceal": ["output", "data.*"],
                "retention": {"keep": "400d", "because": "policy 12"},
            },
        },
        environ={},
    )
    store = {"postgres": {"dsn_file": "/etc/healer/log.dsn"}}
    elsewhere = load_config({"version": 1, "audit": {"store": store}}, environ={})
    assert config.audit.conceal == ("output", "data.*")
    assert config.audit.retention == Retention(keep=400 * 86400.0, because="policy 12")
    assert (config.audit.postgres, elsewhere.audit.postgres) == ("", "/etc/healer/log.dsn")


@pytest.mark.parametrize(
    ("audit", "because"),
    [
        ({"conceal": ["target"]}, "target is never concealed"),
        ({"conceal": ["selector.name"]}, "selector is never concealed"),
        ({"retention": {"keep": "1d"}, "store": {"postgres": {"dsn_file": "/a"}}}, "is not pruned"),
        ({"rsa_later": True, "store": {"postgres": {"dsn_file": "/a"}}}, "takes no block without its RSA signature"),
        ({"retention": {"keep": "1h"}}, "1h is out of bounds"),
        ({"retention": {"archive": "/a"}}, "keep"),
        ({"store": {"postgres": {"dsn": "postgresql://u:p@h/d"}}}, "dsn"),
        ({"store": {"postgres": {"dsn_file": "relative"}}}, "relative"),
    ],
)
def test_a_log_that_hides_or_forgets_what_it_must_not_is_refused(audit, because):
    with pytest.raises(ConfigError, match=because):
        load_config({"version": 1, "audit": audit}, environ={})


def test_rsa_follows_the_ratchet_only_where_that_is_asked_for():
    later, plain = ({"version": 1, "audit": audit} for audit in ({"rsa_later": True}, {}))
    assert load_config(later, environ={}).audit.rsa_later
    assert not load_config(plain, environ={}).audit.rsa_later


def test_a_group_may_have_a_budget_of_its_own_and_must_have_members():
    web = {"kind": "http", "name": "front", "organ": "lungs", "url": "http://127.0.0.1/", "groups": ["web"]}
    own = {"web": {"unavailable": 2, "percent": "34%", "min_available": 1}}
    config = load_config({"version": 1, "targets": [web], "limits": {"groups": own}}, environ={})
    assert config.limits.groups == {"web": Budget(unavailable=2, percent=0.34, min_available=1)}
    (told,) = refuses({"version": 1, "targets": [web], "limits": {"groups": {"wbe": {"unavailable": 1}}}})
    assert "no target is in the group 'wbe'" in told
    assert "web" in told
    for bad in ({"unavailable": -1}, {"percent": "200%"}, {"min_available": 1.5}, {"most": 1}, "2"):
        assert refuses({"version": 1, "targets": [web], "limits": {"groups": {"web": bad}}})
