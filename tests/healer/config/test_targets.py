import pytest

from healer.config.targets import PROGRAM, TARGET
from healer.config.words import address, http_url
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.secret import Secret
from healer.yamldoc.shape import Bad, Mistake


def told(text, shape=TARGET):
    problems = Problems()
    with pytest.raises(Bad):
        document.text(text, shape, problems, name="f")
    return " ".join(str(one) for one in problems.found)


def read(text, shape=TARGET):
    return document.text(text, shape, Problems())


def test_a_probe_belongs_to_the_lungs_and_a_program_to_the_heart():
    probe = read('{kind: http, name: front, url: "http://127.0.0.1/", headers: {A: {credential: t}}}')
    assert (probe.id, probe.organ, probe.spec["every"]) == ("http:front", "lungs", 10.0)
    assert probe.spec["headers"] == {"A": Secret(credential="t")}
    program = read("{name: api, command: [/bin/true]}", PROGRAM)
    assert (program.id, program.organ, program.spec["stop"]) == (
        "program:api",
        "heart",
        {"signal": "TERM", "grace": 5.0},
    )
    assert "on_stop" not in program.spec


def test_what_was_not_written_and_has_no_default_is_left_out():
    assert set(read("{kind: container, name: c}").spec) == {"every", "timeout"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{kind: http, name: a}", "'url' is missing"),
        ("{kind: http, name: a, url: 'ftp://x'}", "is not an address"),
        ("{kind: http, name: a, url: 'http://u:p@x/'}", "a password in an address"),
        ("{kind: tcp, name: a, port: 70000}", "out of bounds"),
        ("{kind: tcp, name: a, port: '80'}", "without unit or quotes"),
        ("{kind: file, name: a, path: var}", "not an absolute path"),
        ("{kind: process, name: a}", "nothing to find the process by"),
        ("{kind: command, name: a, argv: []}", "empty list"),
        ("{kind: command, name: a, argv: 'ls -l'}", "expected a list"),
        ("{kind: program, name: a}", "programs stand under programs:"),
        ("{kind: tcp, name: '../x', port: 1}", "is not a name"),
        ("{kind: tcp, name: .x, port: 1}", "is not a name"),
        ("{kind: tcp, name: a, port: 1, organ: hart}", "did you mean 'heart'?"),
        ("{kind: tcp, name: a, port: 1, requires: [db]}", "kind:name or group:NAME"),
        ("{kind: tcp, name: a, port: 1, every: 5}", "5 has no unit"),
    ],
)
def test_mistakes_in_targets_are_told(text, says):
    assert says in told(text)


@pytest.mark.parametrize(
    ("ready", "says"),
    [
        ("{within: 5s}", "expected one ready check, found 0"),
        ('{tcp: "x:1", file: up}', "found 2"),
        ("{tcp: 8080}", "host:port"),
        ("{tcp: ':8080'}", "not host:port"),
    ],
)
def test_a_program_has_one_ready_check(ready, says):
    assert says in told(f"{{name: a, command: [x], ready: {ready}}}", PROGRAM)


def test_addresses():
    assert address("[::1]:80") == "[::1]:80"
    assert http_url("https://x/y") == "https://x/y"
    for text in ("x", "x:", "x:0", "x:99999", "a b:80", ":1"):
        with pytest.raises(Mistake):
            address(text)


def test_a_need_without_a_kind_is_told_how_it_is_written():
    said = told("{kind: tcp, name: a, port: 1, requires: [shop]}")
    assert "write its kind too, such as program:shop" in str(said)
