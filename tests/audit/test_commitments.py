import os
import sqlite3
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import canonical, commitments, entry
from audit.commitments import Private, Vault, conceal, is_commitment, reveal, veil
from audit.errors import DiskFull, Malformed, Poisoned, Unreadable
from audit.reader import Log
from audit.verifier import Ask, verify
from audit.writer import Writer

C = "ab" * 32


def private(text="Grüße", salt=b"s" * 32):
    return Private(commitments.commit(text, salt), salt, text)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "private.db"


@pytest.fixture
def vault(path):
    with Vault.open(path, write=True) as made:
        yield made


# -------------------------------------------------------------------------------------------- concealing


def test_a_commitment_is_the_salted_hash_and_nothing_else():
    fields, taken = conceal({"output": "Grüße"}, ["output"], random=lambda count: b"s" * count)
    assert fields == {"output": {"c": sha256(b"s" * 32 + "Grüße".encode()).hexdigest()}}
    assert taken == [private()]


def test_paths_reach_into_objects_and_lists():
    fields = {"params": {"user": "ann", "deep": {"mail": "a@b"}, "n": 3}, "evidence": [{"value": "1"}], "because": "x"}
    sealed, taken = conceal(fields, ["params.*", "evidence.0.value"], random=os.urandom)
    assert [one.value for one in taken] == ["ann", "a@b", "1"]
    assert sealed["because"] == "x"
    assert sealed["params"]["n"] == 3
    assert is_commitment(sealed["params"]["deep"]["mail"])
    assert fields["params"]["user"] == "ann", "what was handed in is not changed"


def test_what_verifying_and_memory_rest_on_stays_readable(intent):
    sealed, taken = conceal(intent("a1"), ["*"], random=os.urandom)
    changed = {name for name, value in sealed.items() if value != intent("a1")[name]}
    assert changed == {"actor", "because", "evidence"}
    assert len(taken) == 4
    assert not commitments.may_conceal("target")
    assert not commitments.may_conceal("selector.name")
    assert commitments.may_conceal("output")


def test_what_is_concealed_already_stays_as_it_is():
    assert conceal({"output": {"c": C}}, ["*"], random=os.urandom) == ({"output": {"c": C}}, [])


def test_every_commitment_has_a_salt_of_its_own():
    _, taken = conceal({"data": {"a": "x", "b": "x"}}, ["data.*"], random=os.urandom)
    assert taken[0].c != taken[1].c
    assert len(taken[0].salt) == 32


@pytest.mark.parametrize(
    "value", [{"c": C.upper()}, {"c": C[1:]}, {"c": C, "d": 1}, {"c": 1}, {"d": C}, {}, C, [C], {"c": C + "\n"}]
)
def test_what_only_looks_like_a_commitment_is_none(value):
    assert not is_commitment(value)


def test_an_entry_may_hold_a_commitment_where_a_text_stands(event, outcome):
    common = {"v": 1, "seq": 0, "ts": 1, "mono": 1, "boot": "b", "node": "n"}
    entry.check({**common, **outcome(C), "because": {"c": C}, "output": {"c": C}})
    for name in ("of", "id", "result", "output_sha256"):
        with pytest.raises(Malformed):
            entry.check({**common, **outcome(C), name: {"c": C}})
    for name in ("node", "boot", "seq", "took_us"):
        with pytest.raises(Malformed):
            entry.check({**common, **outcome(C), name: {"c": C}})
    with pytest.raises(Malformed):
        entry.check({**common, **outcome(C), "because": {"c": C[1:]}})


def test_a_commitment_under_a_secret_name_is_not_redacted_again():
    assert entry.redact({"password": {"c": C}, "token": "x"}) == {"password": {"c": C}, "token": "[redacted]"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", min_size=1), inner),
    )
)
def test_what_is_concealed_comes_back_as_it_was(value):
    fields = {"data": value}
    sealed, taken = conceal(fields, ["data*"], random=os.urandom)
    known = {one.c: one.value for one in taken}
    assert commitments._replaced(sealed, known.__getitem__) == fields or any(
        is_commitment(one) for one in _every(value)
    )


def _every(value):
    yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _every(one)


# ---------------------------------------------------------------------------------------------- the vault


def test_the_vault_is_closed_to_others_and_gives_back_what_it_keeps(vault, path):
    one = private()
    vault.keep([(7, one)])
    assert path.stat().st_mode & 0o777 == 0o600
    assert vault.find(one.c) == ("kept", "Grüße")
    assert vault.find(C) == ("unknown", "")
    assert sqlite3.connect(path).execute("SELECT seq FROM private").fetchall() == [(7,)]


def test_what_is_erased_is_not_in_the_file_any_more(vault, path):
    short, long = private("a text nobody keeps"), private("long " + "secret " * 5000, b"t" * 32)
    vault.keep([(1, short), (2, long), (3, private())])
    assert b"nobody keeps" in path.read_bytes()
    assert vault.erase([short.c, long.c, C]) == 2
    assert vault.erase([short.c]) == 0
    left = path.read_bytes()
    assert b"nobody keeps" not in left
    assert b"secret secret" not in left
    assert b"t" * 32 not in left
    assert vault.find(short.c).state == "erased"
    assert vault.find(private().c).state == "kept"
    assert not path.with_name("private.db-journal").exists()


def test_a_text_that_is_not_what_was_sealed_is_called_false(vault, path):
    vault.keep([(1, private()), (2, private("other"))])
    with sqlite3.connect(path) as attacker:
        attacker.execute("UPDATE private SET value = 'harmless' WHERE seq = 1")
    assert vault.find(private().c) == ("false", "")
    assert "FALSE" in reveal({"output": {"c": private().c}}, vault)["output"]


def test_a_veil_stands_where_a_text_is_needed():
    assert veil({"a": [{"c": C}], "b": 1}) == {"a": ["[concealed]"], "b": 1}


def test_a_vault_open_to_others_or_of_another_kind_is_refused(path, tmp_path):
    Vault.open(path, write=True).close()
    path.chmod(0o644)
    with pytest.raises(Unreadable, match="chmod 600"):
        Vault.open(path)
    with pytest.raises(Unreadable):
        Vault.open(tmp_path / "missing")
    with pytest.raises(Unreadable):
        Vault.open(tmp_path)
    noise = tmp_path / "noise"
    noise.write_bytes(b"no database at all" * 100)
    noise.chmod(0o600)
    for write in (False, True):
        with pytest.raises(Unreadable):
            Vault.open(noise, write=write)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(Unreadable):
        Vault.open(link, write=True)


def test_a_vault_that_breaks_while_it_is_open_is_a_sentence_each_time(vault, path):
    vault.keep([(1, private())])
    with sqlite3.connect(path) as attacker:
        attacker.execute("DROP TABLE private")
    attacker.close()
    for asked in (lambda: vault.find(C), lambda: vault.of(1)):
        with pytest.raises(Unreadable, match="cannot be read"):
            asked()
    with pytest.raises(Unreadable, match="cannot be written") as told:
        vault.erase([C])
    assert told.value.hint == "nothing was erased"
    with pytest.raises(Poisoned, match="cannot be written"):
        vault.keep([(2, private("other"))])


def test_a_full_disk_keeps_nothing_of_a_batch(vault):
    vault._connection.execute("PRAGMA max_page_count = 3")
    rows = [(number, private(f"{number}" * 3000)) for number in range(9)]
    with pytest.raises(DiskFull):
        vault.keep(rows)
    assert vault.find(rows[0][1].c).state == "unknown"


# ------------------------------------------------------------------------------------------ with the log


@pytest.fixture
def writer(tmp_path, key, clock):
    with Writer.open(tmp_path / "s", node="n", signer=key, clock=clock, inline=True, reserve_bytes=0) as made:
        yield made


def test_the_text_is_kept_before_the_entry_is_sealed(writer, tmp_path, event):
    writer.append(event(0))
    seen = []
    append = writer._store.append

    def watched(row, signature):
        with Vault.open(tmp_path / "s" / "private.db") as vault:
            seen.append(vault.find(one.c).state)
        append(row, signature)

    writer._store.append = watched
    fields, (one,) = conceal(event(1, user="ann"), ["data.user"], random=os.urandom)
    receipt = writer.submit([event(2), fields], private=[(1, one)]).result()[1]
    assert seen == ["kept"]
    kept = sqlite3.connect(tmp_path / "s" / "private.db").execute("SELECT c, seq FROM private").fetchall()
    assert kept == [(one.c, receipt.seq)] == [(one.c, 2)]


def test_erasing_leaves_the_log_proven(writer, tmp_path, event, key):
    fields, taken = conceal(event(1, user="ann of all people"), ["data.user"], random=os.urandom)
    writer.submit([fields], private=[(0, one) for one in taken]).result()
    writer.close()
    with Vault.open(tmp_path / "s" / "private.db", write=True) as vault:
        with Log.open(tmp_path / "s") as log:
            sealed = canonical.decode(next(iter(log.entries())).octets)
        assert reveal(sealed, vault)["data"]["user"] == "ann of all people"
        assert vault.erase(c for _, c in commitments.found_in(sealed)) == 1
        assert reveal(sealed, vault)["data"]["user"] == "[erased]"
    for file in (tmp_path / "s").iterdir():
        assert not file.is_file() or b"all people" not in file.read_bytes()
    public = tmp_path / "pinned.pub"
    public.write_bytes(key.public.pem)
    report = verify(Ask(log=tmp_path / "s", key=public, deep=True))
    assert report.exit_code == 0, report.text()


def test_what_cannot_be_kept_is_not_sealed(writer, tmp_path, event):
    (tmp_path / "s" / "private.db").mkdir()
    fields, taken = conceal(event(1, user="ann"), ["data.user"], random=os.urandom)
    writer.append(event(0))
    with pytest.raises(Poisoned):
        writer.submit([fields], private=[(0, taken[0])]).result()
    assert writer.head.height == 0
    with pytest.raises(Poisoned):
        writer.append(event(2))


def test_a_full_disk_beside_the_log_is_a_full_disk(writer, tmp_path, event):
    fields, taken = conceal(event(1, user="ann" * 9000), ["data.user"], random=os.urandom)
    writer._committer.vault = Vault.open(tmp_path / "s" / "private.db", write=True)
    writer._committer.vault._connection.execute("PRAGMA max_page_count = 3")
    with pytest.raises(DiskFull):
        writer.submit([fields], private=[(0, taken[0])]).result()
    assert writer.poisoned is None
    assert writer.head is None
