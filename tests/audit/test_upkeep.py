import json
import os
import sqlite3

import pytest

from audit.cli import main
from audit.commitments import conceal
from audit.prune import DAY_US
from audit.reader import Log
from audit.writer import Writer


@pytest.fixture
def state(tmp_path, clock, event):
    """A state folder as an agent leaves it: four days, a concealed user, a key of its own."""
    clock.wall -= 1000 * DAY_US  # the commands ask the real clock
    with Writer.open(tmp_path / "s", node="web-1", clock=clock, reserve_bytes=0) as writer:
        for number in range(3):
            writer.append(event(number))
        fields, taken = conceal(event(3, user="ann", mail="a@b"), ["data.user", "data.mail"], random=os.urandom)
        writer.submit([event(9), fields], private=[(1, one) for one in taken]).result()
        clock.wait(3 * DAY_US)
        writer.append(event(4))
    return tmp_path / "s"


def run(capsys, *argv):
    code = main([str(one) for one in argv])
    out, err = capsys.readouterr()
    return code, out, err


def proven(capsys, state, *more):
    code, out, _ = run(capsys, "verify", state, "--deep", "--no-memory", *more)
    assert code == 0, out
    return out


def test_prune_archives_and_says_where(state, tmp_path, capsys):
    (tmp_path / "a").mkdir()
    code, out, _ = run(
        capsys, "prune", state, "--keep", "2d", "--archive", tmp_path / "a", "--because", "policy 12", "--json"
    )
    assert code == 0
    told = json.loads(out)["pruned"]
    assert (told["from"], told["to"]) == (1, 3)
    with Log.open(state) as log:
        assert [row.height for row in log.rows() if not row.body] == [1, 2, 3]
    assert "pruned" in proven(capsys, state)
    assert "joins them" not in proven(capsys, state, "--archive", told["archive"])
    for _ in range(2):  # what was the newest block the first time is not any more
        code, out, _ = run(
            capsys, "prune", state, "--keep", "2d", "--archive", tmp_path / "a", "--because", "policy 12"
        )
    assert (code, out) == (0, "nothing is old enough to go\n")


@pytest.mark.parametrize("keep", ["1h", "23h"])
def test_less_than_a_day_is_refused(state, tmp_path, capsys, keep):
    code, _, err = run(capsys, "prune", state, "--keep", keep, "--archive", tmp_path, "--because", "x")
    assert code == 2
    assert "day" in err


@pytest.mark.parametrize("keep", ["", "400", "d", "-1d", "1y", "9999999d"])
def test_a_time_that_is_none_is_refused(state, tmp_path, capsys, keep):
    with pytest.raises(SystemExit) as ended:
        run(capsys, "prune", state, f"--keep={keep}", "--archive", tmp_path, "--because", "x")
    assert ended.value.code == 2


def test_prune_waits_for_no_agent(state, tmp_path, capsys):
    with Writer.open(state, node="web-1", reserve_bytes=0):
        code, _, err = run(capsys, "prune", state, "--keep", "2d", "--archive", tmp_path, "--because", "x")
    assert code == 2
    assert "another writer" in err


def test_show_reveals_what_was_concealed_only_when_asked(state, capsys):
    seq = ("show", state, "--no-memory", "--seq", "4", "--json")
    _, out, _ = run(capsys, *seq)
    assert set(json.loads(out)["entry"]["data"]["user"]) == {"c"}
    _, out, _ = run(capsys, *seq, "--reveal")
    data = json.loads(out)["entry"]["data"]
    assert (data["user"], data["mail"]) == ("ann", "a@b")


def test_show_believes_no_text_that_was_not_sealed(state, capsys):
    with sqlite3.connect(state / "private.db") as attacker:
        attacker.execute("UPDATE private SET value = 'bob' WHERE value = 'ann'")
    attacker.close()
    _, out, _ = run(capsys, "tail", state, "--no-memory", "--seq", "4", "--reveal")
    assert "bob" not in out
    assert "FALSE" in out


def test_erase_takes_the_text_and_leaves_the_proof(state, capsys):
    assert b"ann" in (state / "private.db").read_bytes()
    code, out, _ = run(capsys, "erase", state, "--seq", "4", "--field", "data.user", "--json")
    assert (code, json.loads(out)) == (0, {"seq": 4, "erased": 1})
    assert b"ann" not in (state / "private.db").read_bytes()
    proven(capsys, state)
    _, out, _ = run(capsys, "show", state, "--no-memory", "--seq", "4", "--json", "--reveal")
    data = json.loads(out)["entry"]["data"]
    assert (data["user"], data["mail"]) == ("[erased]", "a@b")


def test_erase_reaches_what_was_pruned(state, tmp_path, capsys):
    run(capsys, "prune", state, "--keep", "2d", "--archive", tmp_path, "--because", "x")
    code, _, err = run(capsys, "erase", state, "--seq", "4", "--field", "data.user")
    assert code == 2
    assert "pruned" in err
    code, out, _ = run(capsys, "erase", state, "--seq", "4")
    assert (code, out) == (0, "2 texts of entry 4 are erased\n")
    assert b"ann" not in (state / "private.db").read_bytes()


def test_erase_says_when_there_is_nothing(state, capsys):
    code, out, _ = run(capsys, "erase", state, "--seq", "1")
    assert (code, out) == (0, "nothing is kept that could be erased\n")


def test_repair_changes_nothing_that_is_sealed_and_says_so(state, capsys):
    (state / ".anchor.new").write_text("half")
    with sqlite3.connect(state / "audit.db") as connection:
        connection.execute("DROP TRIGGER blocks_no_update")
        connection.execute("UPDATE blocks SET body = zeroblob(length(body)) WHERE height = 2")
        before = connection.execute("SELECT * FROM blocks").fetchall()
    connection.close()
    code, out, _ = run(capsys, "repair", state, "--json")
    told = json.loads(out)
    assert code == 0
    assert len(told["done"]) == 2
    assert "not looked at" in told["left"]
    assert not (state / ".anchor.new").exists()
    with sqlite3.connect(state / "audit.db") as connection:
        assert connection.execute("SELECT * FROM blocks").fetchall() == before
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("UPDATE blocks SET body = x''")
    connection.close()
    code, _, _ = run(capsys, "verify", state, "--no-memory")
    assert code == 1


def test_repair_of_a_sound_log_has_nothing_to_do(state, capsys):
    _, out, _ = run(capsys, "repair", state)
    assert out.startswith("nothing to do\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize(
    "command", [["prune", "--keep", "2d", "--archive", "/tmp", "--because", "x"], ["erase", "--seq", "4"], ["repair"]]
)
def test_nobody_else_writes_into_the_agents_folder(state, capsys, command):
    os.chown(state, 1, 1)
    code, _, err = run(capsys, command[0], state, *command[1:])
    assert code == 2
    assert "runuser -u daemon" in err


@pytest.mark.parametrize(
    "command", [["prune", "--keep", "2d", "--archive", "/tmp", "--because", "x"], ["erase", "--seq", "4"], ["repair"]]
)
def test_where_there_is_no_log_it_is_a_sentence(tmp_path, capsys, command):
    for state in (tmp_path / "missing", tmp_path):
        code, _, err = run(capsys, command[0], state, *command[1:])
        assert code == 2
        assert err.startswith("healer-audit: ")
