"""The tree as files, and the check of them."""

import pytest

from audit.writer import Writer


@pytest.fixture
def state(tmp_path, key, event):
    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
        for number in range(5):
            writer.submit([event(number)]).result()
    return tmp_path / "s"


def test_what_is_written_is_proven_and_what_was_changed_is_not(state, run, tmp_path):
    code, out, _ = run("tiles", state, tmp_path / "t")
    assert (code, out.startswith("5 blocks of ")) == (0, True)
    code, out, _ = run("tiles", "--check", tmp_path / "t")
    assert (code, out.startswith("NOT PROVEN: 5 blocks")) == (2, True)
    vkey = (state / "keys/note.pub").read_text().strip()
    code, out, _ = run("tiles", "--check", tmp_path / "t", "--vkey", vkey)
    assert (code, out.startswith("PROVEN: 5 blocks")) == (0, True)
    (bundle,) = (tmp_path / "t/tile/entries").rglob("5")
    bundle.write_bytes(bundle.read_bytes().replace(b'"height":2', b'"height":3'))
    code, out, _ = run("tiles", "--check", tmp_path / "t")
    assert (code, out.startswith("TAMPERED: ")) == (1, True)


def test_another_key_has_not_signed_it(state, run, tmp_path, key):
    from audit.ed25519 import Secret
    from audit.note import Signer

    assert run("tiles", tmp_path / "t", home=state)[0] == 0
    other = Signer("other/1", Secret.generate()).verifier.vkey()
    code, _, err = run("tiles", "--check", tmp_path / "t", "--vkey", other)
    assert (code, "sign" in err) == (2, True)


def test_a_checkpoint_may_be_given_and_must_be_of_this_log(state, run, tmp_path, key, event):
    note = tmp_path / "kept"
    note.write_bytes((state / "checkpoint").read_bytes())
    with Writer.open(state, node="n", signer=key, reserve_bytes=0) as writer:
        writer.submit([event(9)]).result()
    assert run("tiles", state, tmp_path / "t", "--checkpoint", note)[1].startswith("5 blocks")
    assert run("tiles", state, tmp_path / "t")[1].startswith("6 blocks")
    code, _, err = run("tiles", state, tmp_path / "t", "--checkpoint", note)
    assert (code, "6 blocks already" in err) == (2, True)
    assert run("tiles", state, tmp_path / "t", "--checkpoint", tmp_path / "none")[0] == 2


def test_a_log_and_a_folder_are_needed(run, tmp_path):
    assert run("tiles", tmp_path)[0] == 2
    assert run("tiles", tmp_path, tmp_path, tmp_path)[0] == 2
    code, _, err = run("tiles", "--check", tmp_path)
    assert (code, "missing" in err) == (2, True)
