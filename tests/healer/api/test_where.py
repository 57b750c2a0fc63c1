from pathlib import Path

from healer.api import where


def test_a_named_state_folder_wins_over_everything():
    environ = {"STATE_DIRECTORY": "/a", "HEALER_STATE_DIR": "/b", "XDG_STATE_HOME": "/c", "HOME": "/d"}
    assert where.state_folder("/x", environ) == Path("/x")
    assert where.state_folder(None, environ) == Path("/a")
    assert where.state_folder(None, {**environ, "STATE_DIRECTORY": ""}) == Path("/b")
    assert where.state_folder(None, {"XDG_STATE_HOME": "/c", "HOME": "/d"}) == Path("/c/healer")
    assert where.state_folder(None, {"HOME": "/d"}) == Path("/d/.local/state/healer")
    assert where.state_folder(None, {}) == Path("/root/.local/state/healer")


def test_systemd_may_give_several_folders_and_the_first_is_ours():
    assert where.state_folder(None, {"STATE_DIRECTORY": "/a:/b"}) == Path("/a")
    assert where.listen_at("", Path("/s"), {"RUNTIME_DIRECTORY": "/run/healer:/run/x"}) == Path(
        "/run/healer/healer.sock"
    )


def test_it_listens_where_it_is_told_else_beside_its_state():
    assert where.listen_at("/x/y.sock", Path("/s"), {"RUNTIME_DIRECTORY": "/r"}) == Path("/x/y.sock")
    assert where.listen_at("", Path("/s"), {}) == Path("/s/healer.sock")


def test_who_names_a_state_folder_means_that_agent_and_no_other():
    assert list(where.candidates("/s", {})) == [Path("/s/healer.sock")]
    assert list(where.candidates(None, {"HOME": "/h"})) == [
        Path("/h/.local/state/healer/healer.sock"), where.SERVICE,
    ]  # fmt: skip
