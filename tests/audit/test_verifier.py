"""Exit 0 only when proven; every attack is seen, and honest logs never raise an alarm."""

import json
import os
import shutil
import sqlite3
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import block, checkpoint, verifier
from audit.keys import SealingKey
from audit.memory import Memory
from audit.reader import Log
from audit.verifier import Ask, verify
from audit.writer import Writer


def ask(built, **more: object) -> Ask:
    return Ask(**{"log": built.db, "key": built.key, "anchors": (built.anchor,), "deep": True, **more})


def codes(report, weight: str = "tampered") -> set[str]:
    return {finding.code for finding in report.findings if finding.weight == weight}


# --------------------------------------------------------------------------------------- honest logs


@pytest.mark.parametrize("more", [{}, {"flat": True, "deep": False}, {"deep": False}, {"flat": True}])
def test_an_honest_log_is_proven(honest, more):
    report = verify(ask(honest, **more))
    assert report.exit_code == 0, report.text()
    assert (report.level, report.first, report.last, report.proven_to) == ("L2", 0, 9, 9)
    assert (report.anchored_to, report.independent, report.open) == (9, True, 1)
    assert report.findings == [] or codes(report, "note") == {"deadline"}


def test_open_intents_are_listed_and_those_beyond_their_deadline_noted(honest):
    report = verify(ask(honest))
    (waiting,) = report.open_intents.values()
    assert waiting.id == "left-open"
    assert report.findings == []


def test_an_intent_beyond_its_deadline_is_a_note(forge, intent):
    forge.seal([forge.entry(0, intent(deadline_us=5))], open=1)
    report = verify(ask(forge.write()))
    assert report.exit_code == 0
    assert codes(report, "note") == {"deadline"}


def test_a_state_folder_serves_itself_but_is_not_independent(honest):
    report = verify(Ask(log=honest.folder))
    assert report.exit_code == 0
    assert not report.independent
    assert "in its own folder" in report.limits()[0]
    assert not verify(Ask(log=honest.folder, key=honest.key)).independent
    assert verify(ask(honest, log=honest.folder)).independent
    own_key = honest.folder / "keys" / "seal.pub"
    assert not verify(ask(honest, key=own_key)).independent


def test_a_live_log_is_proven_while_it_grows(tmp_path, key, event):
    (tmp_path / "pub").write_bytes(key.public.pem)
    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
        for number in range(10):
            writer.append(event(number))
            report = verify(Ask(log=tmp_path / "s", key=tmp_path / "pub", deep=True))
            assert report.exit_code == 0, report.text()


def test_a_log_behind_which_the_anchor_lags_is_proven_and_says_so(honest):
    with Log.open(honest.db) as log:
        row = log.row(4)
    old = checkpoint.of_header(block.parse_header(row.hdr), block.hash_of(row.hdr))
    honest.anchor.write_bytes(old.encode())
    report = verify(ask(honest))
    assert report.exit_code == 0
    assert any("nothing after block 9 was cut off: the newest anchor is block 4" in limit for limit in report.limits())


def test_equal_timestamps_and_a_new_boot_are_no_fault(forge):
    for number, (boot, mono) in enumerate([("a", 5), ("a", 5), ("b", 0), ("b", 0)]):
        forge.seal([forge.event(number)], boot=boot, mono=mono, sealed=7, opened=7)
    assert verify(ask(forge.write())).exit_code == 0


def test_a_jump_of_the_wall_clock_is_a_note(forge):
    forge.seal([forge.event(0)])
    forge.seal([forge.event(1)], sealed=1_795_162_899_000_000)
    report = verify(ask(forge.write()))
    assert report.exit_code == 0
    assert codes(report, "note") == {"clock"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), restarts=st.sets(st.integers(0, 7)))
def test_random_honest_histories_raise_no_alarm(tmp_path_factory, key, event, intent, outcome, sizes, restarts):
    folder = tmp_path_factory.mktemp("random")
    settings_ = {"node": "n", "signer": key, "reserve_bytes": 0, "inline": True}
    writer, waiting = Writer.open(folder / "s", **settings_), []
    for number, size in enumerate(sizes):
        waiting += [one.leaf for one in writer.submit([intent(str(at)) for at in range(size)]).result()]
        writer.submit([event(), *(outcome(waiting.pop()) for _ in range(size // 2))])
        if number in restarts:
            writer.close()
            writer = Writer.open(folder / "s", **settings_)
    writer.close()
    (folder / "pub").write_bytes(key.public.pem)
    report = verify(Ask(log=folder / "s", key=folder / "pub", deep=True))
    assert report.exit_code == 0, report.text()
    assert report.open == len(waiting) == len(report.open_intents)


# -------------------------------------------------------------------------- what cannot be proven: 2


def test_nothing_is_proven_without_key_or_anchor(honest):
    assert verify(ask(honest, anchors=())).exit_code == 2
    report = verify(ask(honest, key=None))
    assert (report.exit_code, report.level) == (2, "L0")
    assert verify(ask(honest, key=None, min_level="L0")).exit_code == 2
    assert verify(ask(honest, key=honest.key.with_name("none"))).exit_code == 2
    assert verify(ask(honest, anchors=(honest.anchor, honest.anchor.with_name("none")))).exit_code == 2


def test_a_higher_level_than_proven_is_not_proven(honest):
    for level in ("L3", "L4"):
        report = verify(ask(honest, min_level=level))
        assert (report.exit_code, report.level) == (2, "L2")


def test_unusable_keys_and_anchors_are_not_proven(honest, key):
    honest.key.write_bytes(key.pem())
    assert verify(ask(honest)).exit_code == 2
    honest.key.write_bytes(b"junk")
    assert verify(ask(honest)).exit_code == 2
    honest.key.unlink()
    os.mkfifo(honest.key)
    assert verify(ask(honest)).exit_code == 2
    honest.anchor.write_bytes(b"{}")
    assert "cannot be used" in verify(ask(honest)).text()
    assert verify(ask(honest)).exit_code == 2


def test_an_old_head_is_not_proven_where_its_age_matters(honest, clock):
    clock.wall += 100_000_000
    assert verify(ask(honest, max_age_s=3600.0), clock=clock).exit_code == 0
    assert codes(verify(ask(honest, max_age_s=50.0), clock=clock), "unproven") == {"age"}
    clock.wall -= 10_000_000_000
    assert verify(ask(honest, max_age_s=3600.0), clock=clock).exit_code == 2


def test_missing_logs_are_not_proven(tmp_path, honest):
    for path in (tmp_path / "none", tmp_path, honest.anchor, Path("/dev/zero")):
        report = verify(ask(honest, log=path))
        assert report.exit_code == 2, report.text()
    os.mkfifo(tmp_path / "fifo")
    assert verify(ask(honest, log=tmp_path / "fifo")).exit_code == 2


def test_an_emptied_log_is_tampered_with_an_anchor_and_not_proven_without(honest):
    honest.edit("DELETE FROM blocks")
    assert verify(ask(honest)).exit_code == 1
    assert verify(ask(honest, anchors=())).exit_code == 2
    honest.db.write_bytes(b"")
    assert verify(ask(honest)).exit_code == 1
    assert verify(ask(honest, anchors=())).exit_code == 2


@pytest.mark.parametrize("version", [0, 2])
def test_an_unknown_version_is_not_proven_never_skipped(forge, version):
    forge.seal([forge.event(0)])
    forge.seal([forge.event(1)], raw={"v": version})
    built = forge.write()
    report = verify(ask(built))
    assert report.exit_code == 2, report.text()
    assert codes(report, "unproven") == {"version", "anchor", "level"}


def test_a_log_that_begins_with_an_unknown_version_is_not_called_emptied(forge):
    forge.seal([forge.event(0)], raw={"v": 9})
    assert verify(ask(forge.write())).exit_code == 2


@pytest.mark.parametrize("change", [{"kind": "later"}, {"v": 2}, {"more": 1}])
def test_an_unknown_kind_version_or_field_of_an_entry_is_not_proven(forge, change):
    from audit import canonical

    fields = {**canonical.decode(forge.event(0)), **change}
    forge.seal([canonical.encode(fields)])
    report = verify(ask(forge.write()))
    assert (report.exit_code, codes(report, "unproven")) == (2, {"version"})


def test_a_ratchet_signature_that_does_not_fit_is_seen(honest):
    honest.edit("UPDATE blocks SET rsig = x'01' WHERE height = 3")
    report = verify(ask(honest))
    assert (report.exit_code, report.findings[0].code) == (1, "ratchet")


# ------------------------------------------------------------------------------------ attacks: 1


STRUCTURAL = {
    "drop the first": ["DELETE FROM blocks WHERE height = 0"],
    "drop one in the middle": ["DELETE FROM blocks WHERE height = 4"],
    "drop and close the gap": [
        "DELETE FROM blocks WHERE height = 4",
        "UPDATE blocks SET height = height - 100 WHERE height > 4",
        "UPDATE blocks SET height = height + 99 WHERE height < 0",
    ],
    "cut the last": ["DELETE FROM blocks WHERE height = 9"],
    "cut half": ["DELETE FROM blocks WHERE height >= 5"],
    "cut all but one": ["DELETE FROM blocks WHERE height >= 1"],
    "swap two": [
        "UPDATE blocks SET height = 100 WHERE height = 3",
        "UPDATE blocks SET height = 3 WHERE height = 4",
        "UPDATE blocks SET height = 4 WHERE height = 100",
    ],
    "swap two bodies": [
        "UPDATE blocks SET body = (SELECT body FROM blocks WHERE height = 2) WHERE height = 4",
    ],
    "repeat the last": ["INSERT INTO blocks SELECT 10, first, n, hdr, sig, rsig, body FROM blocks WHERE height = 9"],
    "repeat the first below": [
        "INSERT INTO blocks SELECT -1, first, n, hdr, sig, rsig, body FROM blocks WHERE height = 0"
    ],
    "a stranger's row far away": ["INSERT INTO blocks VALUES (4000000000, 0, 1, x'00', x'00', x'', x'00')"],
    "no signature": ["UPDATE blocks SET sig = x'' WHERE height = 6"],
    "signatures of others": ["UPDATE blocks SET sig = (SELECT sig FROM blocks WHERE height = 5) WHERE height = 6"],
    "index lies": ["UPDATE blocks SET first = 0 WHERE height = 6"],
    "count lies": ["UPDATE blocks SET n = 99 WHERE height = 6"],
    "empty body": ["UPDATE blocks SET body = x'' WHERE height = 6"],
    "empty header": ["UPDATE blocks SET hdr = x'' WHERE height = 6"],
    "deep header": ["UPDATE blocks SET hdr = CAST(replace(hex(zeroblob(4000)), '0', '[') AS BLOB) WHERE height = 6"],
}


@pytest.mark.parametrize("name", STRUCTURAL)
@pytest.mark.parametrize("deep", [True, False])
def test_structural_attacks_are_seen(honest, name, deep):
    honest.edit(*STRUCTURAL[name])
    report = verify(ask(honest, deep=deep))
    assert report.exit_code == 1, report.text()
    assert report.level == "none"
    assert verify(ask(honest, deep=deep, flat=True)).exit_code == 1
    assert verify(ask(honest, deep=deep, anchors=(), key=None)).exit_code != 0


def test_only_an_anchor_shows_a_cut_tail(honest):
    honest.edit("DELETE FROM blocks WHERE height >= 5")
    (honest.folder / "anchor").unlink()
    report = verify(Ask(log=honest.folder))
    assert report.exit_code == 2
    report = verify(ask(honest))
    assert codes(report) == {"cut"}
    assert "remembers block 9, the log ends at block 4: it was cut or rolled back" in report.text()


def bits(built, step: int):
    """Yield (column, height, byte, bit) over every sealed column, each ``step``-th bit."""
    with Log.open(built.db) as log:
        rows = list(log.rows())
    at = 0
    for row in rows:
        for column in ("hdr", "sig", "body"):
            for place in range(8 * len(getattr(row, column))):
                at += 1
                if at % step == 0:
                    yield row, column, place


@pytest.mark.parametrize("flat", [True, False])
def test_flipped_bits_are_seen(honest, flat):
    step = int(os.environ.get("HEALER_TORTURE_STEP", "509"))
    connection = sqlite3.connect(honest.db, isolation_level=None)
    connection.execute("DROP TRIGGER blocks_no_update")
    connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    connection.execute("PRAGMA synchronous = OFF").fetchall()
    seen = 0
    for row, column, place in bits(honest, step):
        original = getattr(row, column)
        changed = bytearray(original)
        changed[place // 8] ^= 1 << place % 8
        update = f"UPDATE blocks SET {column} = ? WHERE height = ?"
        connection.execute(update, (bytes(changed), row.height))
        report = verify(ask(honest, flat=flat, deep=not flat))
        assert report.exit_code != 0, (row.height, column, place)
        # A flip in the version's digit makes an unknown version; everything else is a contradiction.
        assert report.exit_code == 1 or codes(report, "unproven") >= {"version"}, report.text()
        connection.execute(update, (original, row.height))
        seen += 1
    connection.close()
    assert seen > 100
    assert verify(ask(honest, flat=flat)).exit_code == 0


def test_a_foreign_log_is_seen(honest, foreign):
    assert codes(verify(ask(honest, log=foreign.db))) >= {"rekeyed"}
    assert verify(ask(foreign, anchors=(honest.anchor,))).exit_code == 1
    assert codes(verify(ask(honest, expect_origin="other/1"))) == {"foreign"}
    with Log.open(honest.db) as log:
        origin = block.parse_header(log.row(0).hdr).origin
    assert verify(ask(honest, expect_origin=origin)).exit_code == 0


def test_another_log_of_the_same_key_is_seen(rebuild, key):
    one, two = rebuild(key, "one"), rebuild(key, "two", node="db-1")
    assert codes(verify(ask(one, log=two.db))) == {"foreign"}
    two.edit("DELETE FROM blocks WHERE height > 3")
    assert codes(verify(ask(one, log=two.db))) == {"foreign"}


def test_a_block_spliced_in_from_another_log_is_seen(honest, foreign):
    honest.edit(
        ("ATTACH ? AS foreign_log", [str(foreign.db)]),
        "DELETE FROM blocks WHERE height = 4",
        "INSERT INTO blocks SELECT * FROM foreign_log.blocks WHERE height = 4",
    )
    report = verify(ask(honest))
    assert report.exit_code == 1
    assert codes(report) >= {"chain", "rekeyed"}
    assert report.proven_to == 3


def test_a_log_made_again_with_another_key_is_seen(honest, rebuild, other_key):
    forged = rebuild(other_key)
    report = verify(ask(honest, log=forged.db))
    assert report.exit_code == 1
    assert "rekeyed" in codes(report)
    # He replaces the anchor too; the pinned key is enough.
    assert verify(ask(honest, log=forged.db, anchors=(forged.anchor,))).exit_code == 1


def test_a_history_rewritten_with_the_stolen_key_is_seen_by_its_anchor(honest, rebuild, key, clock):
    clock.wait(5)
    forged = rebuild(key, clock=clock)
    report = verify(ask(honest, log=forged.db))
    assert codes(report) == {"fork"}
    assert "rewritten, or forked" in report.text()


def test_a_tail_cut_and_continued_with_the_stolen_key_is_seen_by_its_anchor(honest, key, event):
    honest.edit("DELETE FROM blocks WHERE height > 5")
    (honest.folder / "anchor").unlink()
    with Writer.open(honest.folder, node="web-1", signer=key, inline=True, reserve_bytes=0) as writer:
        for number in range(9):
            writer.append(event(number))
    assert verify(Ask(log=honest.folder, key=honest.key)).exit_code == 0
    assert codes(verify(ask(honest))) == {"fork"}


def test_an_older_snapshot_is_seen(honest, tmp_path, key, event):
    snapshot = tmp_path / "snapshot.db"
    shutil.copyfile(honest.db, snapshot)
    with Writer.open(
        honest.folder, node="web-1", signer=key, inline=True, reserve_bytes=0, anchors=[honest.anchor]
    ) as writer:
        writer.append(event())
    assert verify(ask(honest)).exit_code == 0
    assert codes(verify(ask(honest, log=snapshot))) == {"cut"}


def test_a_signature_of_another_padding_is_seen(honest, key):
    with Log.open(honest.db) as log:
        message = block.signed_octets(log.row(2).hdr)
    old_style = key._private.sign(message, padding.PKCS1v15(), SHA256())
    honest.edit(("UPDATE blocks SET sig = ? WHERE height = 2", [old_style]))
    assert codes(verify(ask(honest))) == {"signature"}


def test_a_key_that_does_not_fit_its_anchor_is_seen(honest, other_key):
    honest.key.write_bytes(other_key.public.pem)
    assert verify(ask(honest)).exit_code == 1


def test_columns_of_another_type_are_seen(forge):
    forge.seal([forge.event(0)])
    forge.seal([forge.event(1)])
    built = forge.write("CREATE TABLE blocks (height INTEGER PRIMARY KEY, first, n, hdr, sig, rsig, body)")
    assert verify(ask(built)).exit_code == 0
    built.edit("UPDATE blocks SET hdr = CAST(hdr AS TEXT) WHERE height = 0")
    assert codes(verify(ask(built))) == {"header"}
    built.edit("UPDATE blocks SET sig = NULL, hdr = 5")
    assert verify(ask(built)).exit_code == 1


def test_a_file_damaged_in_the_middle_never_passes(honest):
    original = honest.db.read_bytes()
    for page in range(1, len(original) // 4096):
        for pattern in (bytes(4096), b"\xff" * 4096):
            data = bytearray(original)
            data[page * 4096 : (page + 1) * 4096] = pattern
            honest.db.write_bytes(data)
            assert verify(ask(honest)).exit_code != 0, page


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_damage_never_passes_as_something_else(honest_original, tmp_path_factory, data):
    """Whatever happens to the file: no traceback, and exit 0 only for the very same blocks."""
    folder = tmp_path_factory.mktemp("damage")
    octets = bytearray(honest_original.db.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del octets[data.draw(st.integers(0, len(octets))) :]
    (folder / "audit.db").write_bytes(octets)
    report = verify(ask(honest_original, log=folder / "audit.db"))
    if report.exit_code == 0:
        with Log.open(folder / "audit.db") as ours, Log.open(honest_original.db) as theirs:
            assert list(ours.rows()) == list(theirs.rows())


def test_a_hostile_file_costs_little(forge, tmp_path):
    """A million rows of nothing: sentences are capped, memory too."""
    forge.seal([forge.event(0)])
    built = forge.write()
    built.edit(
        "WITH RECURSIVE c(h) AS (SELECT 1 UNION ALL SELECT h + 1 FROM c WHERE h < 20000) "
        "INSERT INTO blocks SELECT h, 0, 0, x'7b7d', x'', x'', x'' FROM c"
    )
    report = verify(ask(built))
    assert report.exit_code in {1, 2}
    assert len(report.findings) < 200


# -------------------------------------------------------- what a thief of the key could seal: deep


VERDICT = {"kind": "verdict", "id": "x", "result": "verified", "because": "seen", "took_us": 1}


@pytest.mark.parametrize(
    "make",
    [
        lambda forge, outcome: b'{"b":1,"a":2}',
        lambda forge, outcome: b"\xff\xfe",
        lambda forge, outcome: b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        lambda forge, outcome: forge.event(5),
        lambda forge, outcome: forge.entry(0, {"kind": "event"}),
        lambda forge, outcome: forge.entry(0, outcome("ab" * 32)),
        lambda forge, outcome: forge.entry(0, {**VERDICT, "of": "ab" * 32}),
    ],
)
def test_entries_that_break_the_rules_are_seen_under_deep(forge, outcome, make):
    forge.seal([make(forge, outcome)])
    built = forge.write()
    assert codes(verify(ask(built))) == {"entry"}
    shallow = verify(ask(built, deep=False))
    assert shallow.exit_code == 0
    assert any("--deep" in limit for limit in shallow.limits())


def test_a_second_outcome_is_seen(forge, intent, outcome):
    from audit import merkle

    first = forge.entry(0, intent())
    leaf = merkle.leaf_hash(first).hex()
    forge.seal([first, forge.entry(1, {**VERDICT, "of": leaf}), forge.entry(2, outcome(leaf))])
    forge.seal([forge.entry(3, {**VERDICT, "of": leaf}), forge.entry(4, outcome(leaf))])
    report = verify(ask(forge.write()))
    assert [(finding.code, finding.seq) for finding in report.findings] == [("entry", 4)]


def test_a_header_that_miscounts_open_intents_is_seen(forge, intent):
    forge.seal([forge.entry(0, intent())], open=0)
    assert codes(verify(ask(forge.write()))) == {"open"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"root": "0" * 64}, "body"),
        ({"body": "0" * 64}, "body"),
        ({"count": 2}, "body"),
        ({"body_len": 1}, "body"),
        ({"height": 9}, "chain"),
        ({"first": 5}, "chain"),
        ({"prev": "1" * 64}, "chain"),
        ({"origin": "other/1"}, "chain"),
        ({"mono": 1}, "chain"),
        ({"keys": ("0" * 64,)}, "rekeyed"),
    ],
)
def test_headers_that_lie_are_seen_whoever_signed_them(forge, changes, code):
    forge.seal([forge.event(0)])
    forge.seal([forge.event(1)], **changes)
    assert code in codes(verify(ask(forge.write(), deep=False)))


def test_flat_says_that_it_did_not_look_at_the_roots(forge):
    forge.seal([forge.event(0)], root="0" * 64)
    report = verify(ask(forge.write(), flat=True, deep=False))
    assert report.exit_code == 0
    assert any("Merkle roots" in limit for limit in report.limits())


def test_a_body_whose_lengths_lie_is_seen(forge):
    forge.seal([forge.event(0)])
    height, first, n, hdr, sig, rsig, body = forge.rows[0]
    forge.rows[0] = (height, first, n, hdr, sig, rsig, struct.pack(">I", 2**31) + body[4:])
    assert codes(verify(ask(forge.write()))) == {"body"}


def test_more_open_intents_than_memory_are_not_followed(forge, intent, monkeypatch):
    monkeypatch.setattr(verifier, "MAX_WAITING", 3)
    forge.seal([forge.entry(number, intent(str(number))) for number in range(6)], open=6)
    forge.seal([forge.event(6)], open=6)
    report = verify(ask(forge.write()))
    assert (report.exit_code, codes(report, "unproven")) == (2, {"open"})


def test_closed_intents_beyond_memory_are_not_held_against_their_verdicts(forge, intent, outcome, monkeypatch):
    from audit import merkle

    monkeypatch.setattr(verifier, "MAX_RECENT", 2)
    seq = 0
    leaves = []
    for _ in range(5):
        one = forge.entry(seq, intent())
        leaves.append(merkle.leaf_hash(one).hex())
        forge.seal([one, forge.entry(seq + 1, outcome(leaves[-1]))])
        seq += 2
    forge.seal([forge.entry(seq, {**VERDICT, "of": leaves[0]})])
    assert verify(ask(forge.write())).exit_code == 0


# ------------------------------------------------------------------------------- ranges and memory


def test_a_range_is_proven_and_named(honest):
    report = verify(ask(honest, since=6))
    assert report.exit_code == 0
    assert (report.asked_from, report.first, report.last) == (6, 6, 9)
    assert "anything before block 6" in report.limits()
    assert report.open_intents == {}
    honest.edit(("UPDATE blocks SET sig = randomblob(384) WHERE height = 2", []))
    assert verify(ask(honest, since=6)).exit_code == 0
    assert verify(ask(honest, since=1)).exit_code == 1


def test_the_block_before_a_range_is_what_the_ratchet_of_its_first_block_rests_on(honest):
    honest.edit("UPDATE blocks SET rsig = x'' WHERE height = 6")
    assert verify(ask(honest, since=6)).findings[0].code == "ratchet"
    honest.edit("DELETE FROM blocks WHERE height = 5")
    assert verify(ask(honest, since=6)).broken_at == [], "the anchor at the head covers it"


def test_a_signature_that_is_due_is_not_proven_with_the_ratchet_and_tampering_without(honest):
    honest.edit("UPDATE blocks SET sig = zeroblob(384) WHERE height = 3")
    report = verify(ask(honest))
    assert (report.exit_code, report.level, report.findings[0].code) == (2, "L0", "due")
    honest.edit("UPDATE blocks SET sig = zeroblob(384) WHERE height = 0")
    assert verify(ask(honest)).exit_code == 1, "the first block has no ratchet"


def test_a_range_beyond_the_end_is_not_proven(honest):
    assert verify(ask(honest, since=10, anchors=())).exit_code == 2
    assert verify(ask(honest, since=10)).exit_code == 2


def test_a_range_that_begins_far_beyond_the_end_is_no_proof_that_anything_was_cut(honest):
    report = verify(ask(honest, since=10_000))
    assert (report.exit_code, codes(report, "unproven"), report.last) == (2, {"since"}, 9)
    honest.edit("DELETE FROM blocks WHERE height > 6")
    assert verify(ask(honest, since=10_000)).exit_code == 1, "the anchor remembers more"


def test_an_anchor_before_the_range_anchors_nothing(honest):
    with Log.open(honest.db) as log:
        row = log.row(2)
    honest.anchor.write_bytes(checkpoint.of_header(block.parse_header(row.hdr), block.hash_of(row.hdr)).encode())
    assert verify(ask(honest)).exit_code == 0
    assert codes(verify(ask(honest, since=5)), "unproven") == {"anchor"}


def head_at(built, height: int, to: Path) -> Path:
    with Log.open(built.db) as log:
        row = log.row(height)
    to.write_bytes(checkpoint.of_header(block.parse_header(row.hdr), block.hash_of(row.hdr)).encode())
    return to


def test_a_head_proved_before_is_a_place_to_start(honest, tmp_path):
    head = head_at(honest, 6, tmp_path / "head")
    report = verify(ask(honest, anchors=(), since_head=head))
    assert report.exit_code == 0, report.text()
    assert (report.asked_from, report.first, report.last) == (7, 6, 9)
    honest.edit("DELETE FROM blocks WHERE height > 6")
    assert verify(ask(honest, anchors=(), since_head=head)).exit_code == 0
    honest.edit("DELETE FROM blocks WHERE height > 5")
    assert verify(ask(honest, anchors=(), since_head=head)).exit_code == 1


def test_a_start_that_is_missing_damaged_or_not_in_the_log_never_passes(honest, tmp_path, foreign):
    assert verify(ask(honest, since_head=tmp_path / "none")).exit_code == 2
    (tmp_path / "junk").write_bytes(b"junk")
    assert verify(ask(honest, since_head=tmp_path / "junk")).exit_code == 2
    other = head_at(foreign, 6, tmp_path / "foreign-head")
    assert verify(ask(honest, since_head=other)).exit_code == 1


def test_memory_notices_a_rollback_by_itself(honest, tmp_path):
    memory = Memory(tmp_path / "memory")
    assert verify(ask(honest, memory=memory)).exit_code == 0
    assert verify(ask(honest, anchors=(), memory=memory)).exit_code == 0
    honest.edit("DELETE FROM blocks WHERE height = 9")
    report = verify(ask(honest, anchors=(), memory=memory))
    assert report.exit_code == 1
    assert "the head remembered from last time" in report.text()


def test_only_what_was_proven_is_remembered(honest, tmp_path):
    memory = Memory(tmp_path / "memory")
    verify(ask(honest, anchors=(), memory=memory))
    verify(ask(honest, since=3, memory=memory))
    assert not memory.folder.exists()


def test_incremental_runs_look_at_what_is_new_alone(honest, tmp_path, key, event):
    memory = Memory(tmp_path / "memory")
    assert verify(ask(honest, memory=memory, incremental=True)).first == 0
    with Writer.open(honest.folder, node="web-1", signer=key, inline=True, reserve_bytes=0) as writer:
        writer.append(event())
    report = verify(ask(honest, anchors=(), memory=memory, incremental=True))
    assert (report.exit_code, report.first, report.last, report.asked_from) == (0, 9, 10, 10)
    report = verify(ask(honest, anchors=(), memory=memory, incremental=True))
    assert (report.exit_code, report.first, report.last) == (0, 10, 10)
    honest.edit(("UPDATE blocks SET sig = zeroblob(384) WHERE height = 10", []))
    report = verify(ask(honest, memory=memory, incremental=True))
    assert (report.exit_code, report.findings[0].code) == (2, "due"), "the block to start after is looked at, too"


def test_a_damaged_memory_is_a_note(honest, tmp_path):
    memory = Memory(tmp_path / "memory")
    verify(ask(honest, memory=memory))
    (path,) = memory.folder.iterdir()
    path.write_bytes(b"junk")
    report = verify(ask(honest, memory=memory))
    assert (report.exit_code, codes(report, "note")) == (0, {"memory"})


def test_a_memory_that_cannot_be_written_is_a_note(honest, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    report = verify(ask(honest, memory=Memory(tmp_path / "file" / "memory")))
    assert report.exit_code == 0
    assert codes(report, "note") == {"memory"}


def test_entries_are_handed_out_in_order_from_the_bytes_that_are_verified(honest):
    got = []
    report = verify(ask(honest, flat=True, deep=False), sink=got.append)
    assert [one.seq for one in got] == list(range(report.entries))
    honest.edit("UPDATE blocks SET body = CAST(x'01' || substr(body, 2) AS BLOB) WHERE height = 9")
    again = []
    assert verify(ask(honest), sink=again.append).exit_code == 1
    assert len(again) == len(got) - 1


def test_a_log_written_to_while_it_is_read_at_rest_is_read_again(honest, monkeypatch):
    answers = iter([True, False, True, True, True])
    monkeypatch.setattr(Log, "moved", lambda _log: next(answers))
    assert verify(ask(honest)).exit_code == 0
    report = verify(ask(honest))
    assert (report.exit_code, report.level) == (2, "none")
    assert "moved" in codes(report, "unproven")


def test_to_json_holds_what_text_says(honest):
    report = verify(ask(honest))
    told = json.loads(json.dumps(report.to_json()))
    assert (told["verdict"], told["exit"], told["level"]) == ("proven", 0, "L2")
    assert told["range"] == {"asked": [0, None], "seen": [0, 9], "proven_to": 9}
    assert told["open_intents"][0]["id"] == "left-open"
    assert told["summary"] == "proven: L2, blocks 0 to 9"
    assert report.text().startswith("PROVEN: L2")


def test_other_keys_can_be_pinned_with_the_same_result(rebuild):
    big = SealingKey.generate(4096)
    built = rebuild(big)
    assert verify(ask(built)).exit_code == 0
    assert replace(ask(built), flat=True).flat
