import json

from healer.runtime.dispatch import KillSwitch


def test_the_switch_works_without_an_agent(healer, tmp_path):
    said = healer("stop-healing")
    assert said.code == 0
    assert KillSwitch(tmp_path / "stop-healing").on()
    assert "no agent answers" in said.err
    assert healer("stop-healing").code == 0  # twice is no harm
    assert healer("resume-healing").code == 0
    assert not KillSwitch(tmp_path / "stop-healing").on()


def test_a_running_agent_is_told_and_seals_it(agent, healer, tmp_path):
    found = json.loads(healer("stop-healing", "--json").out)
    assert found == {"on": True, "files": [str(tmp_path / "stop-healing")], "sealed": True}
    assert agent.core.desk.memory.kill_switch
    agent.force("safe_mode", "on", "too many")
    assert healer("resume-healing").code == 0
    assert not agent.core.desk.memory.kill_switch
    assert not agent.core.desk.memory.safe_mode


def test_one_switch_is_told_once_however_its_folder_is_written(agent, healer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    found = json.loads(healer("--state-dir", tmp_path.name, "stop-healing", "--json", state=False).out)
    assert found["files"] == [str(tmp_path / "stop-healing")]


def test_an_agent_that_does_not_answer_does_not_hold_the_switch_up(agent, healer, tmp_path):
    agent.silent = True
    said = healer("stop-healing")
    assert said.code == 0
    assert KillSwitch(tmp_path / "stop-healing").on()
    assert "did not confirm" in said.err


def test_without_a_named_folder_every_agents_of_this_host_is_stopped(healer, tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "home" / ".local" / "state" / "healer").mkdir(parents=True)
    said = healer("stop-healing", state=False)
    assert said.code == 0
    assert (tmp_path / "var" / "stop-healing").exists()
    assert (tmp_path / "home" / ".local" / "state" / "healer" / "stop-healing").exists()


def test_no_folder_is_no_switch(healer, tmp_path):
    said = healer("--state-dir", str(tmp_path / "none"), "stop-healing", state=False)
    assert (said.code, said.out) == (2, "")


def test_a_folder_we_may_not_write_to_is_told(healer, monkeypatch):
    def refused(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.touch", refused)
    said = healer("stop-healing")
    assert said.code == 2
    assert "as root" in said.err
    assert "nothing is done" not in said.out


def test_one_folder_that_cannot_be_reached_does_not_keep_the_others_from_being_stopped(healer, tmp_path, monkeypatch):
    (tmp_path / "var").mkdir()
    home = tmp_path / "home" / ".local" / "state" / "healer"
    home.mkdir(parents=True)
    (home / "stop-healing.new").mkdir()  # in the way of the first
    said = healer("stop-healing", state=False)
    assert said.code == 2
    assert "cannot make" in said.err
    assert said.out == f"made {tmp_path / 'var' / 'stop-healing'}\n"
