from dataclasses import replace

import pytest

from healer import plugged
from healer.app import build
from healer.config import load_config
from healer.errors import ConfigError, HealerError
from healer.model.limit import Ceiling
from healer.model.mode import Mode, Profile
from healer.rules.rule import RuleSet
from healer.store import accepted
from tests.healer.app.conftest import HEALS

EMPTY = RuleSet(rules=(), hash="", files=())


def config(**more):
    return load_config({"version": 1, **more}, environ={})


def test_what_the_command_line_says_wins_over_the_file():
    found = build.settings({"mode": "auto"}, {}, mode=Mode.OBSERVE, profile=Profile.CORE)
    assert (found.mode, found.profile) == (Mode.OBSERVE, Profile.CORE)
    assert build.settings({"mode": "suggest"}, {}, mode=None, profile=None).mode is Mode.SUGGEST
    assert build.settings(found, {}, mode=None, profile=None) == found


def test_every_mistake_of_a_configuration_is_told():
    with pytest.raises(ConfigError) as refused:
        build.settings({"mode": "sometimes", "profil": "full"}, {}, mode=None, profile=None)
    assert len(refused.value.problems) == 2


def test_a_configured_set_is_used_with_its_files(place):
    loaded = build.first_rules(config(**place.config()), place.state)
    assert [rule.id for rule in loaded.rules.rules] == ["p-down"]
    assert loaded.files == (place.folder / "r.yaml",)
    assert loaded.because == ""


@pytest.mark.parametrize("copies", ["none", "broken"])
def test_without_an_accepted_set_that_loads_the_mistakes_are_raised(place, copies):
    if copies == "broken":
        place.rules("version: 1\nrules: 7\n")
        accepted.keep(place.state, [place.folder / "r.yaml"], "x")
    place.rules("version: 2\n")
    with pytest.raises(ConfigError, match="mistakes"):
        build.first_rules(config(**place.config()), place.state)


def test_rules_above_the_operators_ceiling_are_not_taken_nor_fallen_back_to(place):
    settings = config(**place.config())
    build.keep(build.rules(settings), place.state)
    lowered = replace(settings, limits=replace(settings.limits, max_rate=(Ceiling(max=0, per=3600.0),)))
    with pytest.raises(ConfigError, match="max_rate") as refused:
        build.rules(lowered)
    assert "r.yaml:3:5: p-down: could restart" in refused.value.problems[0]
    with pytest.raises(ConfigError, match="max_rate"):
        build.first_rules(lowered, place.state)
    high = replace(settings, limits=replace(settings.limits, max_rate=(Ceiling(max=500, per=86400.0),)))
    assert build.rules(high).rules.hash == build.rules(settings).rules.hash


def test_the_set_fallen_back_to_is_the_one_the_log_says(place):
    settings = config(**place.config())
    good = build.rules(settings)
    build.keep(good, place.state)
    place.rules("version: 2\n")
    fallback = build.first_rules(settings, place.state)
    assert fallback.rules.hash == good.rules.hash
    assert "r.yaml:1" in fallback.because
    assert fallback.files == ()
    build.check_accepted(fallback, good.rules.hash)
    build.check_accepted(good, "anything")
    for other in ("", "0" * 64):
        with pytest.raises(ConfigError, match="not the accepted one"):
            build.check_accepted(fallback, other)


def test_rules_that_cannot_be_kept_are_no_reason_not_to_heal(place, caplog):
    loaded = build.rules(config(**place.config()))
    build.keep(loaded, place.folder / "gone")
    build.keep(build.Loaded(rules=loaded.rules), place.folder / "gone")
    assert [record.getMessage() for record in caplog.records] == ["rules.not-kept"]


def test_mistakes_are_told_up_to_a_bound():
    many = ConfigError("20 mistakes", problems=tuple(f"a:{n}:1: x" for n in range(20)))
    assert build.told(many).count("a:") == 8
    assert build.told(HealerError("it broke", hint="mend it")) == "it broke (mend it)"


def test_the_core_gets_what_is_configured(place):
    settings = config(
        **place.config(mode="suggest", profile="core", organs={"heart": {"weight": 3, "mode": "observe"}})
    )
    made = build.setup(settings, EMPTY, boot="b", max_ages={"x": 5.0})
    assert (made.mode, made.profile, made.boot, made.node) == (Mode.SUGGEST, Profile.CORE, "b", "here")
    assert made.organ_weights["heart"] == 3
    assert made.organ_modes["heart"] is Mode.OBSERVE
    assert made.max_ages == {"x": 5.0}


def test_secrets_are_found_wherever_they_are_referred_to(place):
    for name in ("one", "two", "three"):
        (place.folder / name).write_text(f"secret-{name}\n")
        (place.folder / name).chmod(0o600)
    place.rules(
        HEALS.replace(
            "restart: {}",
            f'call: {{url: "http://127.0.0.1/", headers: {{x: {{file: {place.folder}/two}}}}}}',
        ).replace(', verify: {when: "program.up{target} == 1", within: 5s}', "")
    )
    http = {
        "kind": "http", "name": "h", "organ": "lungs", "url": "http://127.0.0.1/",
        "headers": {"a": {"file": f"{place.folder}/one"}, "b": "plain", "c": {"file": f"{place.folder}/none"}},
    }  # fmt: skip
    hook = {"kind": "webhook", "url": "http://127.0.0.1/", "headers": {"x": {"credential": "three"}}}
    settings = config(**place.config(targets=[http], notify={"hook": hook}))
    found = build.secrets(settings, build.rules(settings).rules, {"CREDENTIALS_DIRECTORY": str(place.folder)})
    assert found == {"secret-one", "secret-two", "secret-three"}


def test_what_a_reload_cannot_change_is_named():
    old, new = config(node="a"), config(node="b", api={"tcp": "127.0.0.1:8080"}, harmony={"warn": 75})
    assert build.not_before_a_start(old, old) == []
    assert build.not_before_a_start(old, new) == [
        "node takes effect at the next start",
        "api takes effect at the next start",
    ]


def test_who_vouches_for_the_log_changes_at_a_start_only():
    old = config(audit={"policy": "/a"})
    new = config(
        audit={
            "rsa_later": True,
            "policy": "/b",
            "witness": {"timeout": "1s"},
            "timestamps": {"url": "http://h/", "roots": "/roots"},
        }
    )
    assert build.not_before_a_start(old, new) == [
        f"audit.{key} takes effect at the next start" for key in ("rsa_later", "policy", "witness", "timestamps")
    ]


def test_rules_that_need_a_plugin_that_was_left_out_do_not_take_the_others_with_them(tmp_path, monkeypatch):
    (tmp_path / "a.yaml").write_text("version: 1\nrules:\n  - {id: a, when: harmony < 5, then: [{notify: journal}]}\n")
    (tmp_path / "b.yaml").write_text("version: 1\nrules:\n  - {id: b, when: odd(harmony), then: [{notify: journal}]}\n")
    files = [str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]
    config = load_config({"rules": {"files": files}}, environ={})
    with pytest.raises(ConfigError):
        build.first_rules(config, tmp_path / "state")
    monkeypatch.setitem(plugged.FAILED, "/p/odd.py", "SyntaxError")
    found = build.first_rules(config, tmp_path / "state")
    assert [rule.id for rule in found.rules.rules] == ["a"]
    assert found.partly
    assert "/p/odd.py" in found.because
