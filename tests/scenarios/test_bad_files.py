"""A thousand bad files: each is refused, at a place, and nothing of it is loaded.

They are made from the schemas, which are made from the shapes that read: a key that is added tomorrow is misspelt,
emptied, repeated and given every wrong type tomorrow, without a line here. What schemas cannot know (bombs, torn files,
octets that are no text) is made from the octets. ``HEALER_TORTURE_STEP=1`` plays all there are.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from healer.app import Agent
from healer.config import load_config
from healer.config.schema import config_schema
from healer.errors import ConfigError
from healer.rules.load import load
from healer.rules.schema import rules_schema, suite_schema
from healer.rules.suite import load_suite
from healer.yamldoc.compose import compose
from healer.yamldoc.mark import Problems
from healer.yamldoc.plain import value

CHECKOUT = Path(__file__).resolve().parents[2]
ALL = os.environ.get("HEALER_TORTURE_STEP") == "1"
WANTED = 1000
PLACE = re.compile(r"^(.+?\.yaml):(\d+):(\d+): .+")

RULES = """\
version: 1
rules:
  - id: front
    why: It says so.
    priority: high
    each: {kind: http, organ: lungs, name: "web*", except: [web2]}
    when:
      all:
        - http.ok{target} == 0
        - not: cpu.psi.some10 > 60%
    for: 20s
    samples: {bad: 3, of: 4}
    clear: http.ok{target} == 1
    mode: auto
    active: {days: mon-fri, hours: "22:00-06:00", tz: Europe/Warsaw}
    cooldown: 5m
    limits: [{max: 3, per: 1h}, {max: 7, per: 1d}]
    backoff: {initial: 5s, factor: 2, max: 5m, jitter: 20%, reset_after: 10m}
    then:
      - notify: {channel: journal, message: text}
        timeout: 30s
        verify: {when: "http.ok{target} == 1", within: 30s, stable_for: 30s}
      - run: {argv: ["true"], ok: [0]}
        approve: {ttl: 10m, on_timeout: deny}
    on_exhausted: {notify: journal, rearm_after: 6h}
"""
MORE = """\
  - id: more
    trigger: {event: "user.*", filter: {name: eve}, accumulate: {count: 3, within: 1m}, group_by: [name]}
    target: program:api
    when: {at_least: {n: 1, of: ["program.up{target} == 0", {xor: [harmony < 50, cpu.used > 90%]}]}}
    not_in: [{month_days: [-1], months: [jan-mar], tz: UTC}]
    concurrency: {max: 1, key: target, on_conflict: queue, ttl: 5m}
    on_fire: [{notify: journal}]
    on_recovered: [{publish: {topic: a.b, data: {x: 1}}}]
    then:
      - if: cpu.used > 90%
        then: [{wait: 5s}]
        else: [{capture: {max_size: 1MiB}}]
      - wait_for: {when: cpu.used < 50%, timeout: 2m, on_timeout: give_up}
      - restart: {grace: 5s}
        only_if: memory.available > 5%
        verify: {when: "program.up{target} == 1", within: 30s}
        rollback:
          - start: {}
            verify: {when: "program.up{target} == 1"}
"""
CONFIG = """\
version: 1
mode: auto
rules: {files: [], default_mode: observe}
programs:
  - {name: api, organ: heart, command: [sleep, "1"], on_stop: stop}
targets:
  - {kind: http, name: front, organ: lungs, url: "http://127.0.0.1:8088/", every: 1s, requires: [program:api]}
  - {kind: file, name: f, path: /etc/hostname, groups: [files]}
organs:
  stomach:
    vitals:
      root: {value: 'disk.used{mount="/"}', healthy: 80%, critical: 97%, weight: 2}
limits: {actions_per_hour: 60, concurrent: 4, group_unavailable: 1}
reflect: {every: 1m}
audit: {events: ["security.*"], verify_every: 5m}
"""
TESTS = (
    (CHECKOUT / "rules" / "tests" / "container.yaml")
    .read_text(encoding="utf-8")
    .replace("../container.yaml", str(CHECKOUT / "rules" / "container.yaml"))
)
KINDS = {
    "rules": (RULES + MORE, rules_schema(), lambda path: load([path])),
    "config": (CONFIG, config_schema(), lambda path: load_config(path, environ={})),
    "tests": (TESTS, suite_schema(), load_suite),
}
SAMPLES: dict[str, Any] = {
    "null": None,
    "boolean": True,
    "integer": 7,
    "number": 0.5,
    "string": "~!",
    "array": [[["zz"]]],
    "object": {"zz": {"zz": ["zz"]}},
}


# From schemas ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Bad:
    """One way to spoil a document."""

    what: str
    path: tuple
    """The mapping or list in which it is wrong."""
    new: Any
    """That mapping or list, spoilt."""


class Twice(dict):
    """A mapping that says one of its keys twice."""

    def __init__(self, data: dict, key: str) -> None:
        super().__init__(data)
        self.again = key


class Written:
    """A document as JSON, which is YAML, one value to a line; remembers on which lines each part stands."""

    def __init__(self, data: Any) -> None:
        self._lines: list[str] = []
        self.spans: dict[tuple, range] = {}
        self._write(data, (), "", "")
        self.text = "\n".join(self._lines) + "\n"

    def _write(self, data: Any, path: tuple, head: str, tail: str) -> None:
        first = len(self._lines) + 1
        if isinstance(data, dict | list) and data:
            opening, closing = "{}" if isinstance(data, dict) else "[]"
            self._lines.append(head + opening)
            for key, one in data.items() if isinstance(data, dict) else enumerate(data):
                self._write(one, (*path, key), f"{json.dumps(key)}: " if isinstance(data, dict) else "", ",")
            if isinstance(data, Twice):
                self._write(data[data.again], (*path, data.again), f"{json.dumps(data.again)}: ", ",")
            self._lines.append(closing + tail)
        else:
            self._lines.append(head + json.dumps(data) + tail)
        self.spans[path] = range(first, len(self._lines) + 1)


def branches(schema: dict, root: dict) -> Iterator[dict]:
    """The simple schemas of which a value has to fit one."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    forms = [one for word in ("anyOf", "oneOf") for one in schema.get(word, ())]
    if not forms:
        yield schema
    for form in forms:
        yield from branches(form, root)


def json_type(data: Any) -> str:
    return next(kind for kind, sample in SAMPLES.items() if type(sample) is type(data))


def allowed(schema: dict, root: dict) -> set[str]:
    """The JSON types that a schema may accept."""
    found: set[str] = set()
    for one in branches(schema, root):
        if "enum" in one or "const" in one:
            found |= {json_type(word) for word in one.get("enum", [one.get("const")])}
        else:
            said = one.get("type", list(SAMPLES))
            found |= set(said if isinstance(said, list) else [said])
    return found | ({"integer"} if "number" in found else set())


def fitting(data: Any, schema: dict, root: dict) -> dict | None:
    """The branch that a valid mapping or list was written for."""
    for one in branches(schema, root):
        properties, required = one.get("properties"), set(one.get("required", ()))
        if isinstance(data, dict) and properties is not None and required <= set(data) <= set(properties):
            if properties.get("kind", {}).get("const") in {None, data.get("kind")}:
                return one
        elif "items" in one if isinstance(data, list) else isinstance(one.get("additionalProperties"), dict):
            return one
    return None


def ways(data: Any, schema: dict, root: dict, path: tuple = ()) -> Iterator[Bad]:
    """Every way to spoil a valid part of a document."""
    form = fitting(data, schema, root) if isinstance(data, dict | list) else None
    if form is None:
        return
    if isinstance(data, list):
        for number, one in enumerate(data):
            yield from wrong_types(data, number, form["items"], root, path)
            yield from ways(one, form["items"], root, (*path, number))
        return
    inner = form.get("properties") or dict.fromkeys(data, form.get("additionalProperties"))
    for key, part in inner.items():
        rest = {name: held for name, held in data.items() if name != key}
        if "properties" in form:
            yield Bad(what=f"{key} misspelt", path=path, new=rest | {f"{key[:-1]}{key[-1:]}q": data.get(key, 1)})
        if key in form.get("required", ()):
            yield Bad(what=f"without {key}", path=path, new=rest)
        if key in data:
            yield Bad(what=f"{key} twice", path=path, new=Twice(data, key))
            yield from ways(data[key], part, root, (*path, key))
        yield from wrong_types(data, key, part, root, path)


def wrong_types(data: Any, key: Any, schema: dict, root: dict, path: tuple) -> Iterator[Bad]:
    """The value of one key, or one item, as everything that it must not be; null is what a blanked value is."""
    for kind in sorted(set(SAMPLES) - allowed(schema, root)):
        new = dict(data) | {key: SAMPLES[kind]} if isinstance(data, dict) else list(data)
        new[key] = SAMPLES[kind]
        yield Bad(what=f"{key} is {kind}", path=path, new=new)


def placed(data: Any, path: tuple, new: Any) -> Any:
    """The document with another value at one place."""
    if not path:
        return new
    made = list(data) if isinstance(data, list) else dict(data)
    made[path[0]] = placed(data[path[0]], path[1:], new)
    return made


def spoilt(kind: str) -> Iterator[tuple[str, bytes, range]]:
    """(what is wrong, the file, the lines among which it is to be told)."""
    text, schema, _ = KINDS[kind]
    data = value(compose(text, "it", Problems()))
    for bad in ways(data, schema, schema):
        written = Written(placed(data, bad.path, bad.new))
        yield f"{'.'.join(map(str, bad.path))}: {bad.what}", written.text.encode(), written.spans[bad.path]


# From octets -----------------------------------------------------------------------------------------------------

ANYWHERE = range(1, 1 << 30)


def torn(text: str) -> Iterator[tuple[str, bytes, range]]:
    """Half-written: cut after every third octet, but where a line ends: there nobody could tell."""
    whole = Written(value(compose(text, "it", Problems()))).text.encode()
    for at in range(1, len(whole) - 2, 3):
        yield f"cut after {at} octets", whole[:at], ANYWHERE


def hostile(text: str) -> Iterator[tuple[str, bytes, range]]:
    octets = text.encode()
    lines = octets.split(b"\n")
    yield "empty", b"", range(1, 2)
    yield "only a comment", b"# nothing\n", range(1, 2)
    yield "only blanks", b"\n \n", ANYWHERE
    yield "a mark of byte order", b"\xef\xbb\xbf" + octets, range(1, 2)
    yield "UTF-16", text.encode("utf-16"), range(1, 2)
    yield "not YAML at all", os.urandom(0) + bytes(range(256)) * 8, ANYWHERE
    yield "1 MiB and one octet", octets + b"#" * ((1 << 20) + 1 - len(octets)), range(1, 2)
    yield (
        "a bomb of aliases",
        b"a: &a [x,x]\n" + b"".join(b"%c: &%c [*%c,*%c]\n" % (n, n, n - 1, n - 1) for n in range(98, 123)),
        ANYWHERE,
    )
    yield "nested 100 000 deep in brackets", b"[" * 100_000, ANYWHERE
    yield "nested 100 000 deep in mappings", b"{a: " * 100_000, ANYWHERE
    yield "nested 100 000 deep by indentation", b"- " * 100_000 + b"x\n", ANYWHERE
    yield "100 001 values", octets + b"zz: [" + b"1," * 100_001 + b"]\n", ANYWHERE
    yield "a second document", octets + b"---\n" + octets, ANYWHERE
    yield "a directive", b"%YAML 1.1\n---\n" + octets, ANYWHERE
    yield "a merge", octets + b"<<: {}\n", ANYWHERE
    yield "a number of 4 000 digits", octets.replace(b"version: 1", b"version: " + b"1" * 4000), range(1, 3)
    yield "a version of tomorrow", octets.replace(b"version: 1", b"version: 1e0"), range(1, 3)
    for number in range(0, len(lines) - 1, 2):
        here = range(number + 1, number + 2)
        for name, octet in (("NUL", b"\0"), ("no UTF-8", b"\xff"), ("half a character", b"\xc5"), ("escape", b"\x1b")):
            spoilt_line = lines[number] + octet
            yield f"{name} in line {number + 1}", b"\n".join([*lines[:number], spoilt_line, *lines[number + 1 :]]), here
        if lines[number].strip() and not lines[number].startswith(b"#"):
            tabbed = [*lines[:number], b"\t" + lines[number], *lines[number + 1 :]]
            yield f"a tab in line {number + 1}", b"\n".join(tabbed), here


def campaign(kind: str) -> list[tuple[str, bytes, range]]:
    """The bad files of one kind; outside `make torture` an even sample of them, WANTED in all."""
    text = KINDS[kind][0]
    made = [*spoilt(kind), *torn(text), *hostile(text)]
    return made if ALL else made[:: max(1, len(made) // SHARE[kind])]


SHARE = {"rules": 600, "config": 300, "tests": 200}


def accepted(path: Path, kind: str, found: list[tuple[str, bytes, range]]) -> Iterator[str]:
    """What was not refused as it should be."""
    read = KINDS[kind][2]
    for what, octets, lines in found:
        path.write_bytes(octets)
        try:
            read(path)
        except ConfigError as error:
            places = [PLACE.match(one) for one in error.problems]
            if not places or not all(places) or any(place[1] != str(path) for place in places):
                yield f"{what}: no place in {error.problems}"
            elif not any(int(place[2]) in lines for place in places):
                yield f"{what}: told elsewhere: {error.problems}"
        except Exception as crash:  # noqa: BLE001 - whatever it is, it is told with the file that did it
            yield f"{what}: crashed: {crash!r}"
        else:
            yield f"{what}: accepted"


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_file_is_refused_at_its_place(tmp_path, kind):
    found = campaign(kind)
    assert len(found) >= SHARE[kind]
    assert list(accepted(tmp_path / "it.yaml", kind, found)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_spoilt_was_good_before(tmp_path, kind):
    text, _, read = KINDS[kind]
    path = tmp_path / "it.yaml"
    path.write_text(text, encoding="utf-8")
    read(path)
    path.write_text(Written(value(compose(text, "it", Problems()))).text, encoding="utf-8")
    read(path)


def test_there_are_a_thousand_of_them():
    assert sum(SHARE.values()) >= WANTED


# Torn where a line ends, and in a running agent ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["container", "program"])
def test_a_file_torn_in_the_middle_is_refused_unless_it_is_a_whole_one(tmp_path, name):
    # A list that ends early is a shorter list: only renaming a file into place helps there, and docs/rules.md says so.
    # All that can be lost is rules at its end, and what stands last in the last one and need not be there.
    octets, path = (CHECKOUT / "rules" / f"{name}.yaml").read_bytes(), tmp_path / "it.yaml"
    path.write_bytes(octets)
    whole, taken, cuts = load([path]).rules, [], range(1, len(octets) - 1, 1 if ALL else 9)
    for at in cuts:
        path.write_bytes(octets[:at])
        try:
            *before, last = load([path]).rules
        except ConfigError:
            continue
        taken.append(at)
        full = whole[len(before)]
        assert before == list(whole[: len(before)])
        assert (last.id, last.when_source, last.cooldown) == (full.id, full.when_source, full.cooldown)
        assert last.then[0].params == full.then[0].params
    assert len(taken) < len(cuts) * 0.05


def test_the_old_set_stays_in_force_whatever_is_written_over_it(tmp_path):
    rules, config = tmp_path / "rules.yaml", tmp_path / "organism.yaml"
    good = {
        rules: RULES,
        config: CONFIG.replace("files: []", "files: [rules.yaml]").replace("organ: heart, command", "command"),
    }
    for path, text in good.items():
        path.write_text(text, encoding="utf-8")
    bad = {rules: campaign("rules")[:: 1 if ALL else 40], config: campaign("config")[:: 1 if ALL else 40]}
    with Agent(config, state_dir=tmp_path / "state", environ={"PATH": "/usr/bin:/bin"}) as agent:
        old = agent._agent.loop.core
        for path, found in bad.items():
            for what, octets, _ in found:
                path.write_bytes(octets)
                with pytest.raises(ConfigError):
                    agent.reload()
                assert agent._agent.loop.core is old, what
            path.write_text(good[path], encoding="utf-8")
        assert agent.status()["counts"]["rules"] == 1
        assert agent.reload()["rules"] == 1
        assert agent._agent.loop.core is not old


def test_a_set_that_is_being_written_is_not_taken_before_it_is_whole(tmp_path):
    rules, octets = tmp_path / "rules.yaml", RULES.replace("front", "anew").encode()
    rules.write_text(RULES, encoding="utf-8")
    with Agent({"rules": {"files": [str(rules)]}}, state_dir=tmp_path / "state", environ={}) as agent:
        old = agent._agent.loop.core
        for at in range(50, len(octets) - 60, 100):
            rules.write_bytes(octets[:at])
            with pytest.raises(ConfigError):
                agent.reload()
            assert agent._agent.loop.core is old
        rules.write_bytes(octets)
        agent.reload()
        assert [rule.id for rule in agent._agent.loop.core.setup.rules.rules] == ["anew"]
