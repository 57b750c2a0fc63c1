"""Patterns asked for by name that nobody declared, and captures that none of them takes."""

import json

import pytest

from healer.config import load_config
from healer.rules.load import load
from healer.rules.review import findings

TARGETS = [
    {"kind": "log", "name": "auth", "path": "/x", "patterns": {"failed": "Failed for {user}", "other": "x {host}"}},
    {"kind": "log", "name": "web", "path": "/y"},
    {"kind": "journal", "name": "auth", "patterns": {"failed": "f"}},
]


def found(tmp_path, when, *, each=None, argv=("x",), **more):
    config = load_config({"rules": {"files": [], "default_mode": "auto"}, "targets": TARGETS}, environ={})
    bound = {"each": each} if each else {"target": "log:auth"}
    rule = {"id": "r", "when": when, "cooldown": "1m", "then": [{"run": list(argv)}], **bound, **more}
    (tmp_path / "r.yaml").write_text(json.dumps({"version": 1, "rules": [rule]}))
    said = [f"{one.what} ({one.hint})" for one in findings(load([tmp_path / "r.yaml"]), config)]
    return [one for one in said if "pattern" in one and "without verify" not in one]


@pytest.mark.parametrize(
    "when",
    [
        'matched(log:auth, "failed")',
        'matched(log{target}, "failed")',
        'matched(journal:auth, "failed") or matched(log:auth, "other", 1m)',
        'matched(log:nowhere, "failed")',
        "grew(log.lines{target}, 5m) == 1",
    ],
)
def test_what_is_declared_is_no_finding(tmp_path, when):
    assert found(tmp_path, when) == []


def test_a_pattern_that_nobody_declared_is_one_with_the_nearest_name(tmp_path):
    assert found(tmp_path, 'matched(log:auth, "faild")') == [
        "log:auth declares no pattern 'faild' (did you mean 'failed'?)"
    ]
    assert found(tmp_path, 'matched(log:web, "failed")') == [
        "log:web declares no pattern 'failed' (declare it under patterns:)"
    ]


def test_every_target_a_rule_is_bound_to_is_asked(tmp_path):
    assert found(tmp_path, 'matched(log{target}, "failed")', each={"kind": "log"}) == [
        "log:web declares no pattern 'failed' (declare it under patterns:)"
    ]


def test_what_clears_and_proves_is_looked_at_too(tmp_path):
    told = found(tmp_path, 'matched(log:auth, "failed")', clear='not matched(log:auth, "gone", 1m)')
    assert told == ["log:auth declares no pattern 'gone' (one of: failed, other)"]


def test_a_capture_that_no_pattern_takes_is_one(tmp_path):
    when = 'matched(log:auth, "failed")'
    assert found(tmp_path, when, argv=("x", "{capture.user}")) == []
    assert found(tmp_path, when, argv=("x", "{capture.host}")) == ["no pattern takes {capture.host} (taken are: user)"]
    both = f'{when} and matched(http.message{{target="http:x"}}, "pool {{pool}}")'
    assert found(tmp_path, both, argv=("x", "{capture.pool}", "{capture.user}")) == []
