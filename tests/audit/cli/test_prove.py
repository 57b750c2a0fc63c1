"""Entries carried away with their proof."""

import shutil
import sys

import pytest

from audit.cli import main, prove
from audit.writer import Writer


@pytest.fixture
def place(tmp_path, key, intent, outcome, event):
    """A state folder with two actions, the first of them done and checked; what an auditor keeps lies beside it."""
    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
        writer.submit([event(0)]).result()
        first = writer.append(intent("a1"))
        writer.submit([event(1), outcome(first.leaf, "a1")]).result()
        verdict = {"kind": "verdict", "of": first.leaf, "id": "a1", "result": "verified", "because": "ok", "took_us": 1}
        writer.submit([verdict]).result()
        writer.submit([intent("a2", corr="other/1")]).result()
    (tmp_path / "s/keys").mkdir(exist_ok=True)
    (tmp_path / "s/keys/seal.pub").write_bytes(key.public.pem)
    (tmp_path / "pinned.pub").write_bytes(key.public.pem)
    shutil.copy(tmp_path / "s/checkpoint", tmp_path / "kept.note")
    return tmp_path


@pytest.fixture
def verified(place, run):
    """What of a bundle is proven, far away from the log."""

    def check(*more: object) -> tuple[int, list[str]]:
        given = ["--key", place / "pinned.pub", "--anchor", place / "kept.note"]
        code, out, _ = run("verify", place / "b", *given, *more)
        shown = run("show", place / "b", *given)[1]
        assert out.startswith("PROVEN: L1" if code == 0 else "")
        return code, [line.split()[0] for line in shown.splitlines()]

    return check


@pytest.mark.parametrize(
    ("names", "entries"),
    [
        (["a1"], ["1", "3", "4"]),
        (["1"], ["1", "3", "4"]),
        (["3"], ["3"]),
        (["a?"], ["1", "3", "4", "5"]),
        (["0", "a2"], ["0", "5"]),
        (["other/*"], ["5"]),
        (["*@program:api/1"], ["1", "3", "4"]),
    ],
)
def test_what_is_named_is_proved_with_what_came_of_it(place, run, verified, names, entries):
    code, out, err = run("prove", *names, place / "s", "--out", place / "b", "--no-memory")
    assert (code, out) == (0, "")
    assert f"proves {entries[0]} (" in err
    assert "healer-audit verify" in err
    assert verified() == (0, entries)


def test_a_leaf_hash_names_an_entry(place, run, verified):
    line = run("show", place / "s", "--seq", "1", "--no-memory", "--json")[1]
    leaf = line.split('"leaf": "')[1][:64]
    assert run("prove", leaf, place / "s", "--out", place / "b", "--no-memory")[0] == 0
    assert verified() == (0, ["1", "3", "4"])


def test_without_out_the_file_is_what_is_printed(place, capfdbinary):
    assert main(["prove", "a2", str(place / "s"), "--no-memory"]) == 0
    sys.stdout.flush()
    assert capfdbinary.readouterr().out.startswith(b"c2sp.org/tlog-proof@v1\n")


def test_the_log_may_come_after_options_or_be_the_one_at_home(place, run):
    for words in (["a1", "--no-memory", place / "s"], ["a1", "a2", "--no-memory", place / "s"]):
        assert run("prove", *words, "--out", place / "b")[0] == 0
        (place / "b").unlink()
    assert run("prove", "a1", "a2", "--no-memory", home=place / "s")[0] == 0
    assert "which log?" in run("prove", "a1")[2]


def test_a_log_file_needs_a_checkpoint_and_a_checkpoint_must_cover_what_is_named(place, run, key, event):
    file = place / "copy.db"
    assert run("export", place / "s", "--database", file, "--no-memory")[0] == 0
    code, _, err = run("prove", "a1", file, "--key", place / "pinned.pub", "--no-memory")
    assert (code, "--checkpoint" in err) == (2, True)
    given = ["--key", place / "pinned.pub", "--no-memory", "--checkpoint", place / "kept.note", "--out", place / "b"]
    assert "NOT PROVEN" in run("prove", "a1", file, *given)[2]
    assert (place / "b").read_bytes().startswith(b"c2sp")
    with Writer.open(place / "s", node="n", signer=key, reserve_bytes=0) as writer:
        writer.submit([event(9)]).result()
    code, _, err = run("prove", "6", place / "s", *given[:-2], "--out", place / "c")
    assert (code, "no checkpoint covers block 5 yet" in err) == (2, True)
    assert run("prove", "6", place / "s", "--no-memory", "--out", place / "c")[0] == 0
    code, _, err = run("prove", "6", place / "s", "--no-memory", "--checkpoint", place / "none")
    assert (code, "no checkpoint at" in err) == (2, True)


def test_nothing_is_proved_from_a_tampered_log_and_nothing_that_is_not_there(place, run, monkeypatch):
    code, _, err = run("prove", "a9", place / "s", "--no-memory")
    assert (code, "no entry is called a9" in err) == (2, True)
    assert run("prove", "a1", place / "s", "--no-memory", "--out", place / "kept.note")[0] == 2
    with monkeypatch.context() as little:
        little.setattr(prove, "MAX_ENTRIES", 2)
        code, _, err = run("prove", "*", place / "s", "--no-memory")
    assert (code, "more than 2 entries" in err) == (2, True)
    (place / "s/anchor").write_bytes((place / "s/anchor").read_bytes().replace(b'"height":4', b'"height":9'))
    code, out, err = run("prove", "a1", place / "s", "--no-memory", "--out", place / "b")
    assert (code, out, err[:8]) == (1, "", "TAMPERED")
    assert not (place / "b").exists()


def test_a_bundle_is_read_like_a_log(place, run):
    run("prove", "a1", place / "s", "--out", place / "b", "--no-memory")
    given = [place / "b", "--key", place / "pinned.pub", "--anchor", place / "kept.note"]
    assert run("stats", *given)[1].split() == ["1", "intent", "1", "outcome", "1", "verdict"]
    assert run("tail", *given, "-n", "1")[1].split()[0] == "4"
    code, _, err = run("export", *given, "--database", place / "x")
    assert (code, "it holds entries, not blocks" in err) == (2, True)
    code, _, err = run("tail", *given, "-f")
    assert (code, "nothing comes after it" in err) == (2, True)
    out = run("verify", *given)[1]
    assert out.startswith("PROVEN: L1, 3 entries of blocks 1 to 3\n")
    assert " s ago" in out
    (place / "b").write_bytes((place / "b").read_bytes().replace(b"index 1\n", b"index 2\n"))
    code, out, _ = run("verify", *given)
    assert (code, "this file proves nothing" in out) == (1, True)


def test_without_a_checkpoint_there_is_no_proof(place, run):
    (place / "s/checkpoint").unlink()
    code, out, err = run("prove", "a1", place / "s", "--no-memory")
    assert (code, out, "there is no checkpoint of this log" in err) == (2, "", True)
