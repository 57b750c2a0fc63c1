from dataclasses import replace

import pytest

from healer.gates import self_harm


@pytest.mark.parametrize(
    "name",
    [
        "unit:init", "unit:systemd", "unit:systemd-journald.service", "unit:dbus.service", "unit:dbus-broker.service",
        "unit:ssh.service", "unit:sshd.service", "process:sshd", "unit:networking.service",
        "unit:NetworkManager.service",
        "unit:wpa_supplicant.service", "unit:ifup@eth0", "container:dbus",
        "unit:-.mount", "unit:-.slice", "unit:system.slice", "unit:init.scope", "unit:user@1000.service",
        "unit:multi-user.target", "unit:polkit.service",
    ],
)  # fmt: skip
def test_what_the_host_stands_on_is_touched_only_when_it_is_spelled_out(question, target, name):
    refused = self_harm.ask(question(target=target(name)))
    assert "vital to the host (i_mean_it" in refused.because
    assert self_harm.ask(question(target=target(name), spelled_out=True)) is None


@pytest.mark.parametrize("name", ["unit:healer", "unit:healer.service", "process:healer", "container:healer-agent"])
def test_the_agent_never_touches_itself_even_when_spelled_out(question, target, name):
    for spelled_out in (False, True):
        refused = self_harm.ask(question(target=target(name), spelled_out=spelled_out))
        assert refused.because.endswith("is the agent itself")


@pytest.mark.parametrize(
    "name", ["unit:nginx.service", "unit:mysystemd", "unit:healers", "program:sshd", "program:healer"]
)
def test_others_and_our_own_programs_are_nothing_special(question, target, name):
    assert self_harm.ask(question(target=target(name))) is None


@pytest.mark.parametrize("action", sorted(self_harm.HARMLESS))
def test_what_harms_nobody_may_be_done_to_anybody(question, target, action):
    assert self_harm.ask(question(target=target("unit:sshd"), action=action)) is None


def test_a_signal_or_a_command_on_a_vital_process_is_harm(question, target):
    for action in ("signal", "run", "stop", "call"):
        assert self_harm.ask(question(target=target("process:sshd"), action=action)) is not None


@pytest.mark.parametrize("name", ["reboot.target", "poweroff.target", "rescue.target", "suspend.target"])
def test_a_start_that_ends_the_host_is_harm(question, target, name):
    assert self_harm.ask(question(target=target(f"unit:{name}"), action="start")) is not None
    assert self_harm.ask(question(target=target(f"unit:{name}"), action="start", spelled_out=True)) is None
    assert self_harm.ask(question(target=target("unit:web.target"), action="start")) is None


@pytest.mark.parametrize(("kind", "other"), [("unit", "sshd.service"), ("unit", "dbus"), ("container", "dbus")])
def test_another_name_for_it_changes_nothing(question, target, kind, other):
    aliased = replace(target(f"{kind}:front"), spec={kind: other})
    assert "vital" in self_harm.ask(question(target=aliased)).because
    ours = replace(target("unit:front"), spec={"unit": "healer.service"})
    assert "the agent itself" in self_harm.ask(question(target=ours, spelled_out=True)).because
