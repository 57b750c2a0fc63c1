"""Which state folder, how long, which entry: what the commands that keep a log in shape are told."""

import json

import pytest

from audit.writer import Writer


@pytest.fixture
def state(tmp_path, event):
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0) as writer:
        writer.append(event(0))
    return tmp_path / "s"


def test_the_state_folder_may_be_the_one_at_home(state, run, tmp_path):
    keep = ["--keep", "1d", "--archive", tmp_path, "--because", "policy 12"]
    assert run("prune", *keep, home=state)[1] == "nothing is old enough to go\n"
    assert json.loads(run("prune", state, *keep, as_json=True)[1]) == {"pruned": None}
    assert json.loads(run("repair", home=state, as_json=True)[1])["done"] == []
    code, _, err = run("erase", "--seq", "0", home=state)
    assert (code, "nothing was concealed here" in err) == (2, True)


def test_without_one_it_is_asked_for(run, tmp_path):
    for words in (
        ["prune", "--keep", "1d", "--archive", tmp_path, "--because", "x"],
        ["erase", "--seq", "1"],
        ["repair"],
    ):
        code, _, err = run(*words)
        assert (code, "which log?" in err) == (2, True)


@pytest.mark.parametrize("keep", ["1", "1y", "-1d", "1.5d", "d"])
def test_how_long_is_a_duration(state, run, tmp_path, keep, capsys):
    with pytest.raises(SystemExit) as ended:
        run("prune", state, f"--keep={keep}", "--archive", tmp_path, "--because", "x")
    assert ended.value.code == 2
    assert "is not a time to keep a log" in capsys.readouterr().err
