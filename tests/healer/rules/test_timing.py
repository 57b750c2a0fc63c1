import pytest

from healer.config import load_config
from healer.rules.load import load
from healer.rules.review import findings

CONFIG = load_config(
    {
        "programs": [{"name": "api", "command": ["true"]}],
        "targets": [
            {"kind": "http", "name": "slow", "url": "http://127.0.0.1/", "every": "30s"},
            {"kind": "http", "name": "quick", "url": "http://127.0.0.1/", "every": "1s"},
        ],
    },
    environ={},
)
WORDS = ("one sample", "holds nothing back", "is never reached")


def said(
    tmp_path,
    rule,
    when="http.ok{target} == 0",
    target="http:slow",
    then='[{run: [/bin/true], verify: {when: "harmony > 5"}}]',
):
    text = f"version: 1\nrules:\n  - {{id: r, target: '{target}', when: '{when}', {rule}, then: {then}}}\n"
    (tmp_path / "f.yaml").write_text(text)
    return [word for one in findings(load([tmp_path / "f.yaml"]), CONFIG) for word in WORDS if word in one.what]


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("for: 5s", "one sample"),
        ("cooldown: 10s", "holds nothing back"),
        ("limits: [{max: 1, per: 20s}]", "is never reached"),
    ],
)
def test_times_below_the_interval_of_the_looks_mean_nothing(tmp_path, rule, what):
    assert said(tmp_path, rule) == [what]
    assert said(tmp_path, rule, target="http:quick") == []


@pytest.mark.parametrize(
    "rule",
    [
        "for: 30s",
        "for: 0s",
        "{for: 5s, samples: {bad: 2, of: 3}}"[1:-1],
        "cooldown: 30s",
        "limits: [{max: 1, per: 30s}]",
    ],
)
def test_a_whole_interval_is_enough(tmp_path, rule):
    assert said(tmp_path, rule) == []


def test_what_is_told_at_once_or_looked_at_in_another_rhythm_is_left_alone(tmp_path):
    quick = "cooldown: 10ms, limits: [{max: 1, per: 1s}]"
    assert said(tmp_path, quick, when="program.up{target} == 0", target="program:api") == []
    assert said(tmp_path, "for: 5s", when="http.ok{target} == 0 and harmony < 50") == []
    assert said(tmp_path, "cooldown: 10s", then="[{notify: journal}]") == []
    assert said(tmp_path, "for: 5s", when='http.ok{target="http:gone"} == 0') == []
