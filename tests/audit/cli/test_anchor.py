"""What is kept elsewhere is the checkpoint, to the octet."""

import json

import pytest

from audit.writer import Writer


@pytest.fixture
def state(tmp_path, key, event):
    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
        writer.submit([event(0)]).result()
    (tmp_path / "s/keys/seal.pub").write_bytes(key.public.pem)
    return tmp_path / "s"


def test_the_checkpoint_goes_where_it_is_told_and_the_rest_beside_it(state, run, tmp_path):
    code, out, err = run("anchor", state)
    assert (code, out.encode()) == (0, (state / "checkpoint").read_bytes())
    assert err.startswith("up to block 0, cosigned by nobody else\nin a policy, this log is: log ")
    for _ in range(2):
        code, out, err = run("anchor", state, "--out", tmp_path / "kept")
        assert (code, out, err.startswith("up to block 0")) == (0, "", True)
        assert (tmp_path / "kept").read_bytes() == (state / "checkpoint").read_bytes()
    assert run("verify", state, "--anchor", tmp_path / "kept", "--no-memory")[0] == 0


def test_a_place_that_is_none_gets_a_sentence(state, run, tmp_path):
    code, out, err = run("anchor", state, "--out", tmp_path / "no" / "kept")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "No such file" in err


def test_in_json(state, run):
    told = json.loads(run("anchor", state, "--own", "--json")[1])
    assert (told["height"], told["cosigners"]) == (0, [])
    assert told["policy"] == f"log {(state / 'keys/note.pub').read_text().strip()}"


def test_a_checkpoint_of_another_log_is_passed_over(state, run, tmp_path, other_key, event):
    with Writer.open(tmp_path / "o", node="o", signer=other_key, reserve_bytes=0) as writer:
        writer.submit([event(0)]).result()
    (state / "witnessed").mkdir(exist_ok=True)
    (state / "witnessed/0000000009.note").write_bytes((tmp_path / "o/checkpoint").read_bytes())
    assert run("anchor", state)[1].encode() == (state / "checkpoint").read_bytes()
    (state / "checkpoint").write_bytes((tmp_path / "o/checkpoint").read_bytes())
    code, _, err = run("anchor", state)
    assert (code, "no checkpoint of this log" in err) == (2, True)


def test_where_there_is_no_log_there_is_nothing_to_keep(run, tmp_path):
    code, _, err = run("anchor", tmp_path)
    assert (code, "note.pub is missing" in err) == (2, True)
