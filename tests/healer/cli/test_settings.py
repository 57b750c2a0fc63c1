from pathlib import Path

from healer.cli.settings import Settings


def test_plain_text_where_nobody_looks_or_it_was_asked_for(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert Settings().color
    assert not Settings(no_color=True).color
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Settings().color
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert not Settings().color


def test_a_named_state_folder_means_that_agent_and_no_other(tmp_path):
    assert Settings(state_dir=str(tmp_path)).sockets == [tmp_path / "healer.sock"]
    assert Settings(state_dir=str(tmp_path)).log == tmp_path
    assert len(Settings().sockets) == 2


def test_the_socket_a_configuration_names_is_tried_first(tmp_path, monkeypatch):
    config = tmp_path / "organism.yaml"
    config.write_text("version: 1\napi: {socket: /x/y.sock}\n")
    assert Settings(config=str(config)).sockets[0] == Path("/x/y.sock")
    monkeypatch.setenv("HEALER_CONFIG", str(config))
    assert Settings().sockets[0] == Path("/x/y.sock")
    config.write_text("version: 1\n")
    assert len(Settings().sockets) == 2


def test_the_log_meant_is_the_one_that_is_there(tmp_path):
    assert Settings().log == Settings().state
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "audit.db").touch()
    assert Settings().log == tmp_path / "var"
