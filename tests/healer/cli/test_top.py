import json

from healer.cli.settings import Settings


def test_the_status_comes_again_and_again(agent, healer):
    said = healer("top", "--times", "2", "--every", "0.2")
    assert said.code == 0
    assert said.out.count("harmony 100 of 100") == 2
    lines = healer("top", "--times", "2", "--every", "0.2", "--json").out.splitlines()
    assert [json.loads(line)["harmony"] for line in lines] == [100.0, 100.0]


def test_on_a_terminal_the_screen_is_cleared(agent, healer, monkeypatch):
    cleared = []
    monkeypatch.setattr(Settings, "color", True)
    monkeypatch.setattr("click.clear", lambda: cleared.append(1))
    assert healer("top", "--times", "1").code == 0
    assert cleared
