import json


def test_a_window_is_opened_listed_and_ended(agent, healer):
    said = healer("maintenance", "add", "program:api", "--for", "1h30m", "--reason", "upgrade")
    assert said.code == 0
    window = said.out.strip()
    listed = healer("maintenance", "list").out
    assert window in listed
    assert "target=program:api" in listed
    assert "90 min" in listed
    assert json.loads(healer("maintenance", "list", "--json").out)["maintenance"][0]["left"] == 5400.0
    assert healer("maintenance", "end", window).code == 0
    assert "no window is open" in healer("maintenance", "list").err
    assert healer("maintenance", "end", window).code == 1


def test_options_select_and_nothing_selects_nothing(agent, healer):
    found = json.loads(healer("maintenance", "add", "--kind", "http", "--for", "5m", "--reason", "x", "--json").out)
    assert found["selector"] == {"kind": "http"}
    everything = json.loads(healer("maintenance", "add", "--all", "--for", "5m", "--reason", "x", "--json").out)
    assert everything["selector"] == {"all": True}
    said = healer("maintenance", "add", "--for", "5m", "--reason", "x")
    assert said.code == 2
    assert "say over what" in said.err


def test_a_window_must_expire_and_have_a_reason(agent, healer):
    for args in (
        ("--reason", "x"), ("--for", "5m"), ("--for", "5", "--reason", "x"), ("--for", "soon", "--reason", "x"),
    ):  # fmt: skip
        assert healer("maintenance", "add", "program:api", *args).code == 2
    assert healer("maintenance", "add", "program:api", "--for", "30d", "--reason", "x").code == 1
    assert not agent.core.desk.memory.maintenance
