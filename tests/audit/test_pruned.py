"""Bodies that are gone: accounted for by a prune block, joined again from an archive, or taken out by somebody."""

import os

import pytest

from audit import archive
from audit.ask import Ask
from audit.block import Header
from audit.errors import Malformed
from audit.pruned import MAX_RANGES, Archives, Range, parse
from audit.reader import Log
from audit.report import Report
from audit.verifier import verify
from audit.writer import Writer

DAY = 86_400_000_000


@pytest.fixture
def aged(tmp_path, key, clock, event):
    """A log of which a month is a year old, pruned into an archive."""
    state = tmp_path / "state"
    with Writer.open(state, node="n", signer=key, clock=clock, inline=True, reserve_bytes=0) as writer:
        for number in range(6):
            writer.append(event(number))
        clock.wait(400 * DAY)
        writer.append(event(99))
        (tmp_path / "archive").mkdir()
        pruned = writer.prune(30 * DAY, tmp_path / "archive", because="older than 30 days")
        writer.append(event(100))
    assert pruned is not None
    (tmp_path / "pinned.pub").write_bytes(key.public.pem)
    return pruned


def ask(aged, tmp_path, **more):
    return verify(Ask(**{"log": tmp_path / "state", "key": tmp_path / "pinned.pub", "deep": True, **more}))


def test_a_pruned_log_is_proven_and_says_what_is_not_here(aged, tmp_path):
    report = ask(aged, tmp_path)
    assert report.exit_code == 0, report.text()
    assert report.pruned == [(aged.order.first, aged.order.last)]
    assert any("were pruned" in limit for limit in report.limits())


def test_the_archive_joins_it_again_and_every_entry_is_handed_out(aged, tmp_path):
    seen = []
    asked = Ask(log=tmp_path / "state", key=tmp_path / "pinned.pub", deep=True, archives=(aged.path,))
    report = verify(asked, sink=lambda sealed: seen.append(sealed.seq))
    assert (report.exit_code, report.pruned) == (0, []), report.text()
    assert seen == list(range(report.entries))


def test_an_archive_that_was_changed_is_seen(aged, tmp_path):
    octets = bytearray(aged.path.read_bytes())
    place = octets.index(b'"number":3')
    octets[place + 9] ^= 1
    changed = tmp_path / "changed.sealed"
    changed.write_bytes(octets)
    report = ask(aged, tmp_path, archives=(changed,))
    assert (report.exit_code, report.findings[0].code) == (1, "body")


def test_an_archive_of_another_log_joins_nothing(aged, tmp_path, honest):
    with Log.open(honest.db) as log:
        other = archive.write(log, 0, 5, tmp_path)
    assert ask(aged, tmp_path, archives=(other.path,)).pruned == [(aged.order.first, aged.order.last)]


def test_bodies_that_no_prune_block_accounts_for_were_taken(honest):
    honest.edit("UPDATE blocks SET body = x'' WHERE height IN (3, 4)")
    report = verify(Ask(log=honest.db, key=honest.key, anchors=(honest.anchor,)))
    assert (report.exit_code, report.findings[0].code, report.findings[0].height) == (1, "body", 3)


def test_bodies_beyond_what_was_pruned_were_taken_too(aged, tmp_path):
    import sqlite3

    connection = sqlite3.connect(tmp_path / "state/audit.db")
    connection.execute("DROP TRIGGER blocks_no_update")
    connection.execute("UPDATE blocks SET body = x'' WHERE height = ?", (aged.order.last + 1,))
    connection.commit()
    connection.close()
    report = ask(aged, tmp_path)
    assert (report.exit_code, report.findings[0].height) == (1, aged.order.last + 1)


def test_the_flat_way_looks_for_them_too(honest, aged, tmp_path):
    assert ask(aged, tmp_path, flat=True, deep=False).exit_code == 0
    honest.edit("UPDATE blocks SET body = x'' WHERE height = 5")
    assert verify(Ask(log=honest.db, key=honest.key, anchors=(honest.anchor,), flat=True)).exit_code == 1


def header(forge, data) -> tuple[Header, bytes]:
    forge.seal([forge.event(0)])
    entry = forge.entry(1, {"kind": "prune", "because": "b", "data": data})
    forge.seal([entry], why="prune")
    return forge.previous, forge.rows[-1][6]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"from": 0},
        {"from": "0", "to": 0},
        {"from": True, "to": 0},
        {"from": 0, "to": 1},
        {"from": 1, "to": 0},
        {"from": -1, "to": 0},
    ],
)
def test_an_order_that_is_none_is_malformed(forge, data):
    made, body = header(forge, data)
    with pytest.raises(Malformed):
        parse(made, body)


def test_an_order_says_from_where_to_where(forge):
    made, body = header(forge, {"from": 0, "to": 0, "entries": 1, "sha256": "0" * 64, "size": 1, "name": "x"})
    assert parse(made, body) == Range(0, 0)


def test_a_prune_block_holds_one_entry_of_its_kind(forge):
    forge.seal([forge.event(0)], why="prune")
    with pytest.raises(Malformed, match="does not say"):
        parse(forge.previous, forge.rows[-1][6])
    forge.seal([forge.event(1), forge.event(2)], why="prune")
    with pytest.raises(Malformed, match="exactly one"):
        parse(forge.previous, forge.rows[-1][6])


def test_a_log_full_of_holes_costs_no_memory(honest):
    from dataclasses import replace

    from audit import block

    with Log.open(honest.db) as log:
        row = next(iter(log.rows()))
    made = block.parse_header(row.hdr)
    archives = Archives()
    for height in range(2, 2 * MAX_RANGES + 2, 2):
        archives.body(replace(made, height=height), row._replace(body=b""))
    with pytest.raises(Malformed, match="stretches"):
        archives.body(replace(made, height=9 * MAX_RANGES), row._replace(body=b""))


def test_a_prune_block_that_is_none_is_tampering_and_of_an_unknown_kind_not_proven(forge):
    forge.seal([forge.event(0)], why="prune")
    built = forge.write()
    report = verify(Ask(log=built.db, key=built.key, anchors=(built.anchor,), flat=True))
    assert (report.exit_code, report.findings[0].code) == (1, "pruned")


def test_an_empty_body_below_a_block_of_an_unknown_version_is_not_proven(forge):
    forge.seal([forge.event(0)])
    forge.seal([forge.event(1)])
    forge.seal([forge.event(2)], raw={"v": 2})
    forge.rows[1] = (*forge.rows[1][:6], b"")
    built = forge.write()
    report = verify(Ask(log=built.db, key=built.key))
    assert (report.exit_code, report.tampered) == (2, False)
    assert {"version", "body"} <= {finding.code for finding in report.findings}


def test_a_prune_block_of_a_later_format_is_not_proven(forge):
    forge.seal([forge.entry(0, {"kind": "prune2"})], why="prune")
    built = forge.write()
    report = verify(Ask(log=built.db, key=built.key, anchors=(built.anchor,)))
    assert (report.exit_code, report.findings[0].code) == (2, "version")


def test_an_archive_that_cannot_be_opened_is_a_finding(tmp_path):
    report = Report(log="x", flat=False, deep=False)
    os.mkfifo(tmp_path / "fifo")
    with Archives() as archives:
        archives.open([tmp_path / "none", tmp_path / "fifo", tmp_path], report)
    assert [finding.code for finding in report.findings] == ["archive"] * 3
