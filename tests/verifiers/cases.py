"""Random cases for verifiers: an honest history, perhaps one or more lies, and what an auditor holds in his hands.

Over 400 lines: each lie is a function, and the lies are the point.
"""

import json
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import forge
from forge import Log, Row, canonical

ORIGINS = ["host-1/healer", "example.com/log", "z"]
HASHES = ["0" * 64, "ab" * 32]


@dataclass(slots=True, kw_only=True)
class Case:
    """A log and the auditor's things; `write` makes files and the words of a command line."""

    seed: int
    chance: Random
    log: Log
    key: bytes
    anchors: list[bytes] = field(default_factory=list)
    notes: list[bytes] = field(default_factory=list)
    archives: list[list[Row]] = field(default_factory=list)
    policy: bytes | None = None
    words: list[str] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)
    signer: forge.Note | None = None
    witnesses: list[forge.Note] = field(default_factory=list)
    spoil_file: Callable[[Path], object] | None = None
    bundle: bytes | None = None
    """Given instead of the log."""

    def write(self, folder: Path) -> list[str]:
        log, outside = folder / "state", folder / "auditor"
        (log / "witnessed").mkdir(parents=True)
        outside.mkdir()
        page = self.chance.choice([512, 1024, 4096, 4096, 65536])
        forge.write(log / "audit.db", self.log.rows, page=page)
        if self.spoil_file:
            self.spoil_file(log / "audit.db")
        for number, note in enumerate(self.notes):
            (log / "witnessed" / f"{number:012}.note").write_bytes(note)
        (outside / "key.pem").write_bytes(self.key)
        if self.bundle is not None:
            log = outside / "bundle"
            log.write_bytes(self.bundle)
        words = [str(log), "--json", "--no-memory", "--key", str(outside / "key.pem"), *self.words]
        for number, anchor in enumerate(self.anchors):
            (outside / f"anchor-{number}").write_bytes(anchor)
            words += ["--anchor", str(outside / f"anchor-{number}")]
        for number, rows in enumerate(self.archives):
            forge.write(outside / f"archive-{number}.db", rows)
            words += ["--archive", str(outside / f"archive-{number}.db")]
        if self.policy is not None:
            (outside / "policy").write_bytes(self.policy)
            words += ["--policy", str(outside / "policy")]
        return words


# --------------------------------------------------------------------------------------------- honest histories


def history(chance: Random, origin: str, blocks: int) -> Log:
    log = Log(origin=origin, chance=chance, key=forge.key(0))
    ratcheted = chance.random() < 0.8
    turned = 0
    for _ in range(blocks):
        event = chance.random()
        log.boot = f"boot-{chance.randrange(3)}" if event < 0.1 else log.boot
        if 0.1 <= event < 0.2 and turned < 2 and log.rows:
            turned += 1
            revoked = chance.choice([None, None, chance.randrange(len(log.rows))])
            log.rotate(forge.key(turned), revoked)
        elif 0.2 <= event < 0.3 and len(log.rows) > 1:
            last = chance.randrange(len(log.rows) - 1)
            log.prune(chance.randrange(last + 1), last)
        else:
            count = chance.choice([1, 1, 2, 3, 7, 16, chance.randrange(1, 60)])
            if chance.random() < 0.01:
                count = 4096
            ratchet = ratcheted and chance.random() < 0.95
            log.seal(count, lost=chance.random() < 0.08, ratchet=ratchet, why=chance.choice(["commit", "heartbeat"]))
    return log


def witnesses(case: Case) -> None:
    """Give the log checkpoints, perhaps witnessed, and the auditor a policy."""
    chance, log = case.chance, case.log
    case.signer = forge.Note(log.origin, 1)
    case.witnesses = [forge.Note(f"w{number}.example", 4) for number in range(3)]
    need = chance.randrange(1, 4)
    lines = [f"log {case.signer.vkey}"]
    lines += [f"witness W{number} {one.vkey} https://w{number}.example/" for number, one in enumerate(case.witnesses)]
    lines += [f"group all-of-them {need} W0 W1 W2", "quorum all-of-them"]
    case.policy = ("# who counts\n" + "\n".join(lines) + "\n").encode() if chance.random() < 0.8 else None
    sizes = [
        chance.choice([len(log.rows), chance.randrange(1, len(log.rows) + 1)]) for _ in range(chance.randrange(1, 3))
    ]
    case.notes += [cosigned(case, log.headers[:size]) for size in sizes]


def cosigned(case: Case, headers: list[bytes], origin: str | None = None) -> bytes:
    chance = case.chance
    now = int(time.time())
    present = [one for one in case.witnesses if chance.random() < 0.85]
    signers = [(one, now - chance.choice([5, 500, 90_000, 9_000_000])) for one in present]
    return forge.checkpoint(origin or case.log.origin, headers, [(case.signer, 0), *signers])


def honest(seed: int) -> Case:
    chance = Random(seed)
    log = history(chance, chance.choice(ORIGINS), chance.choice([1, 2, 3, 5, 8, 8, 12]))
    case = Case(seed=seed, chance=chance, log=log, key=forge.key(0).pem)
    if chance.random() < 0.35:
        witnesses(case)
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        height = chance.choice([len(log.rows) - 1, chance.randrange(len(log.rows))])
        case.anchors.append(log.anchor(height))
    if case.signer and chance.random() < 0.3:
        case.anchors.append(cosigned(case, log.headers[: chance.randrange(1, len(log.rows) + 1)]))
    case.archives = [rows for rows in log.archives if chance.random() < 0.5]
    case.words = list(options(chance, log.origin))
    return case


def options(chance: Random, origin: str) -> list[str]:
    words = []
    if chance.random() < 0.2:
        words.append("--flat")
    if chance.random() < 0.4:
        words.append("--deep")
    if chance.random() < 0.3:
        words += ["--min-level", chance.choice(["L0", "L1", "L2", "L3"])]
    if chance.random() < 0.1:
        words += ["--expect-origin", chance.choice([origin, origin, "somebody-else"])]
    if chance.random() < 0.1:
        words += ["--max-age", chance.choice(["1s", "100000d"])]
    if chance.random() < 0.1:
        words += ["--tail", chance.choice(["1s", "1d"])]
    return words


# ---------------------------------------------------------------------------------------------------- the lies


def some_row(case: Case) -> Row:
    return case.chance.choice(case.log.rows)


def flip_a_bit(case: Case) -> None:
    row = some_row(case)
    name = case.chance.choice(["hdr", "sig", "rsig", "body"])
    octets = bytearray(getattr(row, name))
    if octets:
        octets[case.chance.randrange(len(octets))] ^= 1 << case.chance.randrange(8)
    setattr(row, name, bytes(octets))


def change_a_number(case: Case) -> None:
    row, name = some_row(case), case.chance.choice(["first", "n"])
    setattr(row, name, case.chance.choice([getattr(row, name) + 1, -1, 0, 2**40, 2**60]))


def change_a_type(case: Case) -> None:
    row = some_row(case)
    name = case.chance.choice(["first", "n", "hdr", "sig", "rsig", "body"])
    setattr(row, name, case.chance.choice([None, "text", 1.5, b"blob", 7]))


def cut_a_column(case: Case) -> None:
    row, name = some_row(case), case.chance.choice(["hdr", "sig", "rsig", "body"])
    octets = getattr(row, name)
    setattr(
        row,
        name,
        case.chance.choice([octets[:-1], octets + b"\x00", b"", b"\x00" * len(octets), octets[: len(octets) // 2]]),
    )


def drop_a_row(case: Case) -> None:
    case.log.rows.remove(some_row(case))


def cut_the_end(case: Case) -> None:
    del case.log.rows[case.chance.randrange(len(case.log.rows)) :]


def cut_the_start(case: Case) -> None:
    del case.log.rows[: case.chance.randrange(1, len(case.log.rows) + 1)]


def swap_two_rows(case: Case) -> None:
    one, other = some_row(case), some_row(case)
    for name in ("first", "n", "hdr", "sig", "rsig", "body"):
        left, right = getattr(one, name), getattr(other, name)
        setattr(one, name, right)
        setattr(other, name, left)


def duplicate_a_row(case: Case) -> None:
    one, other = some_row(case), some_row(case)
    for name in ("first", "n", "hdr", "sig", "rsig", "body"):
        setattr(one, name, getattr(other, name))


def append_the_last_again(case: Case) -> None:
    last = case.log.rows[-1]
    case.log.rows.append(Row(**{name: getattr(last, name) for name in forge.COLUMNS} | {"height": last.height + 1}))


def splice_another_log(case: Case) -> None:
    origin = case.chance.choice([case.log.origin, "another"])
    other = history(Random(case.seed + 1), origin, len(case.log.rows))
    at = case.chance.randrange(len(case.log.rows))
    case.log.rows[at:] = other.rows[at:]


def rewrite_with_the_key(case: Case) -> None:
    """Truncate and continue: the thief of the RSA key writes another end, with a crash as his excuse, or without."""
    keep = case.chance.randrange(1, len(case.log.rows) + 1)
    rows = case.log.rows[:keep]
    last = rows[-1].header
    again = Log(origin=last["origin"], chance=case.chance, key=key_of(last["keys"][-1]), rows=rows)
    again.entries, again.wall, again.mono, again.boot = (
        last["first"] + last["count"],
        last["sealed"],
        last["mono"],
        last["boot"],
    )
    again.open = dict.fromkeys((str(number) for number in range(last["open"])), "a")
    again.ratchet = forge.Ed25519PrivateKey.generate() if last["next"] else None
    for number in range(case.chance.randrange(1, 4)):
        again.seal(1, lost=number == 0 and case.chance.random() < 0.7)
    case.log.rows = rows


def key_of(fingerprint: str) -> forge.Key:
    return next(
        (forge.key(number) for number in range(4) if forge.key(number).fingerprint == fingerprint), forge.key(0)
    )


HEADER_LIES: dict[str, list[Any]] = {
    "v": [2, 0, "1", None],
    "origin": ["other", "", "a b", "a+b", "ü", 5, "x" * 201],
    "height": [0, 1, -1, "0", 2**53 - 1],
    "first": [0, 1, -1, None],
    "count": [0, 1, 2, 4097, -1],
    "root": [*HASHES, "AB" * 32, "ab", ""],
    "body": [*HASHES, "", None],
    "body_len": [0, 1, -1, 9 * 2**20],
    "prev": [*HASHES, "ab"],
    "opened": [0, "0", -5],
    "sealed": [0, forge.START * 3, None, -7],
    "mono": [0, 2**53 - 1, -1],
    "boot": ["", "elsewhere", 5, "\u0000", "b" * 10_000],
    "beacon": [*HASHES, "beacon"],
    "open": [0, 1, 7, -1],
    "next": ["", *HASHES, "ab"],
    "keys": [[], [HASHES[0]], [HASHES[0]] * 2, "x", [1]],
    "why": ["restart", "rotate", "prune", "heartbeat", "commit", "because", None],
}


def lie_in_a_header(case: Case) -> None:
    row = some_row(case)
    header = row.header
    name = case.chance.choice(list(HEADER_LIES))
    header[name] = case.chance.choice(HEADER_LIES[name])
    relink(case, row, header)


def change_the_fields_of_a_header(case: Case) -> None:
    row = some_row(case)
    header = row.header
    if case.chance.random() < 0.5:
        header[case.chance.choice(["zz", "a", "vv"])] = 1
    else:
        del header[case.chance.choice(list(header))]
    relink(case, row, header)


def relink(case: Case, row: Row, header: dict[str, Any]) -> None:
    """Sign the header anew with the RSA keys it had, and perhaps all that follow, so that the chain holds again."""
    rows, at = case.log.rows, case.log.rows.index(row)
    keys = [key_of(one) for one in row.header["keys"]]
    case.log.resign(row, header, keys)
    if case.chance.random() < 0.5:
        return
    excuse = case.chance.random() < 0.5
    for before, after in zip(rows[at:], rows[at + 1 :], strict=False):
        following = after.header | {"prev": forge.sha(before.hdr).hex()}
        if excuse and after is rows[at + 1] and "next" in before.header and before.header["next"]:
            following["why"] = "restart"
            after.rsig = b""
        case.log.resign(after, following, [key_of(one) for one in after.header["keys"]])


def write_a_header_otherwise(case: Case) -> None:
    """The same value in other octets: only the exact octets of the profile may pass."""
    row = some_row(case)
    header = row.header
    written = case.chance.choice(
        [
            json.dumps(header, sort_keys=True).encode(),
            json.dumps(header, separators=(",", ":")[::1]).encode(),
            json.dumps(dict(reversed(list(header.items()))), separators=(",", ":")).encode(),
            row.hdr.replace(b'"v":1', b'"v":1.0'),
            row.hdr.replace(b'"v":1', b'"v":1e0'),
            row.hdr.replace(b'"boot":"b', b'"boot":"\\u0062'),
            row.hdr[:-1] + b',"why":"commit"}',
            b"\xef\xbb\xbf" + row.hdr,
            row.hdr + b"\n",
            b"[]",
            b"",
            b"\xff" + row.hdr,
            b"{" * 5000,
        ]
    )
    row.hdr, row.sig = written, key_of(header["keys"][0]).sign(written)


ENTRY_LIES: list[Callable[[dict[str, Any], Random], object]] = [
    lambda entry, _: entry.update(seq=entry["seq"] + 1),
    lambda entry, _: entry.update(kind="surprise"),
    lambda entry, _: entry.update(v=2),
    lambda entry, _: entry.update(v="1"),
    lambda entry, _: entry.update(extra=1),
    lambda entry, _: entry.pop("node"),
    lambda entry, _: entry.update(because={"c": "ab" * 32}),
    lambda entry, _: entry.update(because={"c": "AB" * 32}),
    lambda entry, _: entry.update(node={"c": "ab" * 32}),
    lambda entry, _: entry.update(node=5),
    lambda entry, _: entry.update(kind="rotate"),
    lambda entry, _: entry.update(of="ab" * 32),
    lambda entry, _: entry.update(result="great"),
    lambda entry, _: entry.update(ts=True),
    lambda entry, chance: entry.pop(chance.choice(list(entry))),
    lambda entry, chance: entry.update({chance.choice(list(entry)): None}),
    lambda entry, chance: entry.update({chance.choice(list(entry)): {"c": "cd" * 32}}),
    lambda entry, chance: entry.update(chance.choice([{"seq": -1}, {"mono": "x"}, {"kind": 5}, {"boot": ""}])),
]


def lie_in_an_entry(case: Case) -> None:
    """An honest seal around an entry that does not belong there."""
    row = some_row(case)
    entries = forge.split(row.body)
    if not entries:
        return
    at = case.chance.randrange(len(entries))
    entry = json.loads(entries[at])
    case.chance.choice(ENTRY_LIES)(entry, case.chance)
    entries[at] = canonical(entry)
    reseal(case, row, entries)


def write_an_entry_otherwise(case: Case) -> None:
    row = some_row(case)
    entries = forge.split(row.body)
    if not entries:
        return
    at = case.chance.randrange(len(entries))
    deep = json.loads(entries[at]) | {"data": json.loads("[" * 20 + "]" * 20)}
    ways = [entries[at] + b" ", b"", b"null", b"{}", canonical(deep), entries[at].replace(b"1", b"1.0"), b"x" * 70_000]
    entries[at] = case.chance.choice(ways)
    reseal(case, row, entries)


def shuffle_the_entries(case: Case) -> None:
    row = some_row(case)
    entries = forge.split(row.body)
    way = case.chance.randrange(3)
    if way == 0:
        case.chance.shuffle(entries)
    elif way == 1 and entries:
        entries.append(case.chance.choice(entries))
    elif way == 2 and len(entries) > 1:
        entries.pop()
    if entries:
        reseal(case, row, entries)


def reseal(case: Case, row: Row, entries: list[bytes]) -> None:
    body = forge.joined(entries)
    rooted = forge.root([forge.leaf(one) for one in entries]).hex()
    header = row.header | {"root": rooted, "body": forge.sha(body).hex(), "body_len": len(body)}
    if case.chance.random() < 0.5:
        header["count"] = row.n = len(entries)
    row.body = body
    relink(case, row, header)


def break_the_framing(case: Case) -> None:
    """Octets that do not come apart into entries, honestly hashed."""
    row = some_row(case)
    if not row.body:
        return
    body = case.chance.choice(
        [row.body + b"\x00", row.body[:-1], struct.pack(">I", 2**32 - 1) + row.body[4:], b"\x00" * 4]
    )
    row.body = body
    relink(case, row, row.header | {"body": forge.sha(body).hex(), "body_len": len(body)})


def lie_about_pruning(case: Case) -> None:
    row = some_row(case)
    entry = case.log.common("prune", 0) | {"because": "x", "seq": row.first, "data": prune_data(case)}
    body = forge.joined([canonical(entry)])
    changed = row.header | {"why": "prune", "count": 1, "body": forge.sha(body).hex(), "body_len": len(body)}
    changed["root"] = forge.leaf(canonical(entry)).hex()
    row.body, row.n = body, 1
    relink(case, row, changed)


def prune_data(case: Case) -> dict[str, Any]:
    data = {"from": 0, "to": 0, "entries": 1, "sha256": "ab" * 32, "size": 5, "name": "x"}
    lies = [
        {"to": 99},
        {"from": 5},
        {"from": -1},
        {"sha256": "x"},
        {"size": "x"},
        {"more": 1},
        {"name": {"c": "ab" * 32}},
        {},
    ]
    return data | case.chance.choice(lies)


def lie_about_rotation(case: Case) -> None:
    row = next((row for row in case.log.rows if row.header["why"] == "rotate" and row.body), None)
    if row is None:
        return
    entry = json.loads(forge.split(row.body)[0])
    lies = [
        {"trusted_to": 0},
        {"trusted_to": -1},
        {"trusted_to": 10**6},
        {"trusted_to": "x"},
        {"new": "AAAA"},
        {"new": forge.b64(forge.key(3).der)},
        {"fingerprint": HASHES[1]},
        {"more": 1},
    ]
    entry["data"] |= case.chance.choice(lies)
    reseal(case, row, [canonical(entry)])


def empty_a_body(case: Case) -> None:
    some_row(case).body = b""


def wait_for_rsa(case: Case) -> None:
    for row in case.log.rows[case.chance.randrange(len(case.log.rows)) :]:
        row.sig = b"\x00" * len(row.sig)


def forget_a_ratchet(case: Case) -> None:
    row = some_row(case)
    row.rsig = case.chance.choice([b"", b"\x00" * 64, b"\x01" * 64, row.rsig[::-1]])


def lie_in_an_anchor(case: Case) -> None:
    lies: list[dict[str, Any]] = [
        {"height": 10**6},
        {"height": 0},
        {"head": HASHES[1]},
        {"count": 1},
        {"origin": "other"},
        {"key": HASHES[0]},
        {"sealed": 5},
        {"v": 2},
        {"root": HASHES[0]},
        {"extra": 1},
        {"height": -1},
        {"head": "x"},
    ]
    said = json.loads(case.log.anchor(case.chance.randrange(len(case.log.rows))))
    case.anchors.append(canonical(said | case.chance.choice(lies)) + b"\n")


def give_a_broken_anchor(case: Case) -> None:
    good = case.log.anchor()
    ways = [b"", good[:-1], good + b"\n", b" " + good, b"{}\n", good * 2, b"x" * 5000, b"\xff\n", b"{" * 3000]
    case.anchors.append(case.chance.choice(ways))


def give_another_key(case: Case) -> None:
    good = forge.key(0).pem
    case.key = case.chance.choice(
        [forge.key(1).pem, forge.key(3).pem, good * 2, b"", b"x", good[:-40], good.replace(b"PUBLIC", b"PRIVATE")]
    )


def fork_a_checkpoint(case: Case) -> None:
    if case.signer is None:
        witnesses(case)
    headers = case.log.headers
    ways = [[*headers[:-1], b"fork"], [*headers, b"more"], headers[1:], [b"x"] * len(headers), []]
    case.notes.append(cosigned(case, case.chance.choice(ways), case.chance.choice([None, None, "other"])))


def give_a_forked_checkpoint_as_anchor(case: Case) -> None:
    if case.signer is None:
        witnesses(case)
    headers = case.log.headers
    ways = [[*headers[:-1], b"fork"], [*headers, b"more"], headers]
    case.anchors.append(cosigned(case, case.chance.choice(ways), case.chance.choice([None, None, "other"])))


def forge_a_cosignature(case: Case) -> None:
    """A quorum that is not: unknown keys under known names, signatures over something else, one witness many times."""
    if case.signer is None:
        witnesses(case)
    now = int(time.time())
    text = forge.checkpoint(case.log.origin, case.log.headers, []).decode()[:-1]
    strangers = [forge.Note(one.name, 4) for one in case.witnesses]
    first = case.witnesses[0]
    ways = [
        "".join(one.line(text, now) for one in strangers),
        "".join(first.line(text, now - number) for number in range(3)),
        "".join(one.line(text + "x", now) for one in case.witnesses),
        "".join(one.line(text, 0) for one in case.witnesses),
    ]
    case.notes.append((text + "\n" + case.signer.line(text) + case.chance.choice(ways)).encode())


def spoil_a_note(case: Case) -> None:
    if not case.notes:
        return
    at = case.chance.randrange(len(case.notes))
    note = case.notes[at]
    place = case.chance.randrange(len(note))
    ways = [
        note[:-1],
        note[:place] + bytes([note[place] ^ 1]) + note[place + 1 :],
        note.replace("—".encode(), b"-"),
        b"",
        note + b"\n",
    ]
    case.notes[at] = case.chance.choice(ways)


def spoil_the_policy(case: Case) -> None:
    if case.policy is None:
        return
    ways = [
        case.policy.replace(b"quorum all-of-them", b"quorum nobody"),
        case.policy.replace(b"quorum all-of-them", b"quorum none"),
        case.policy.replace(b"quorum all-of-them", b"quorum W0"),
        case.policy + b"quorum W0\n",
        case.policy.replace(b"W0 W1 W2", b"W0 W1 W1"),
        case.policy.replace(b"log ", b"witness L "),
        case.policy.replace(b"\n", b"\r\n"),
        case.policy.replace(b" ", b"\t \t"),
        b"",
        b"quorum none\n",
    ]
    case.policy = case.chance.choice(ways)


def spoil_an_archive(case: Case) -> None:
    for rows in case.archives:
        ways = ["drop", "body", "empty"]
        match case.chance.choice(ways):
            case "drop":
                rows.pop()
            case "body":
                rows[0] = Row(**{name: getattr(rows[0], name) for name in forge.COLUMNS} | {"body": b"\x00" * 9})
            case _:
                rows.clear()


def spoil_the_file(case: Case) -> None:
    def cut(file: Path) -> None:
        file.write_bytes(file.read_bytes()[:150])

    ways: list[Callable[[Path], object]] = [
        cut,
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"\x00" * 8192),
        lambda file: file.write_bytes(file.read_bytes()[:68] + b"\x00" * 4 + file.read_bytes()[72:]),
        lambda file: (
            forge.write(file.with_name("new"), [], schema="CREATE TABLE bricks (x)")
            or file.with_name("new").replace(file)
        ),
    ]
    case.spoil_file = case.chance.choice(ways[:4])


LIES = [
    flip_a_bit,
    flip_a_bit,
    change_a_number,
    change_a_type,
    cut_a_column,
    drop_a_row,
    cut_the_end,
    cut_the_end,
    cut_the_start,
    swap_two_rows,
    duplicate_a_row,
    append_the_last_again,
    splice_another_log,
    rewrite_with_the_key,
    rewrite_with_the_key,
    lie_in_a_header,
    lie_in_a_header,
    lie_in_a_header,
    change_the_fields_of_a_header,
    write_a_header_otherwise,
    lie_in_an_entry,
    lie_in_an_entry,
    write_an_entry_otherwise,
    shuffle_the_entries,
    break_the_framing,
    lie_about_pruning,
    lie_about_rotation,
    empty_a_body,
    wait_for_rsa,
    forget_a_ratchet,
    lie_in_an_anchor,
    lie_in_an_anchor,
    give_a_broken_anchor,
    give_another_key,
    fork_a_checkpoint,
    give_a_forked_checkpoint_as_anchor,
    forge_a_cosignature,
    spoil_a_note,
    spoil_the_policy,
    spoil_an_archive,
    spoil_the_file,
]


# ----------------------------------------------------------------------------------------------------- bundles


def bundled(made: Case) -> None:
    """Give the auditor a bundle of some blocks instead of the log, perhaps with a lie in it."""
    chance, log = made.chance, made.log
    if made.signer is None:
        witnesses(made)
    signer = chance.choice(log.rows).header["keys"][0]
    whole = [row.height for row in log.rows if row.body and row.header["keys"] == [signer]] or [0]
    heights = chance.sample(whole, min(len(whole), chance.choice([1, 1, 2, 3])))
    made.key = key_of(log.rows[heights[0]].header["keys"][0]).pem
    made.anchors = [
        log.anchor(chance.choice([*heights, len(log.rows) - 1])) for _ in range(chance.choice([0, 0, 1, 2]))
    ]
    size = chance.choice([len(log.rows), max(heights) + 1])
    note = cosigned(made, log.headers[:size])
    if chance.random() < 0.2:
        made.anchors.append(note)
    if chance.random() < 0.4:
        made.bundle = forge.bundle(log, heights, note)
        return
    made.lies.append("lie_in_a_bundle")
    lie = chance.choice(EXTRA_LIES)
    if chance.random() < 0.5:
        made.bundle = forge.bundle(log, heights, note, edit=lambda extra: lie(extra, chance))
    else:
        made.bundle = chance.choice(BUNDLE_LIES)(forge.bundle(log, heights, note), note, made)


EXTRA_LIES: list[Callable[[dict[str, Any], Random], object]] = [
    lambda extra, _: extra.update(v=2),
    lambda extra, _: extra.update(v="1"),
    lambda extra, _: extra.update(more=1),
    lambda extra, _: extra.pop("rsig"),
    lambda extra, _: extra.update(entries=[]),
    lambda extra, _: extra.update(entries={}),
    lambda extra, _: extra.update(sig=forge.b64(b"\x00" * 384)),
    lambda extra, _: extra.update(sig=extra["sig"][:-4]),
    lambda extra, _: extra.update(hdr=forge.b64(b"{}")),
    lambda extra, _: extra.update(hdr="?"),
    lambda extra, chance: chance.choice(extra["entries"]).update(octets=forge.b64(b"{}")),
    lambda extra, chance: chance.choice(extra["entries"]).update(at=chance.choice([0, 1, -1, 10**6, "0", None])),
    lambda extra, chance: chance.choice(extra["entries"]).update(
        path=chance.choice([[], ["x"], [forge.b64(b"x" * 32)], 5])
    ),
    lambda extra, chance: chance.choice(extra["entries"]).update(more=1),
    lambda extra, chance: extra["entries"].append(chance.choice(extra["entries"])),
]
BUNDLE_LIES: list[Callable[[bytes, bytes, Case], bytes]] = [
    lambda bundle, _, made: bundle[: made.chance.randrange(30, len(bundle))],
    lambda bundle, _, made: flipped(bundle, made.chance),
    lambda bundle, _, made: flipped(bundle, made.chance),
    lambda bundle, note, made: bundle.replace(note, cosigned(made, [*made.log.headers, b"more"])),
    lambda bundle, note, made: bundle.replace(note, cosigned(made, made.log.headers, "other")),
    lambda bundle, note, _: bundle.replace(note, note.split(b"\n\n")[0] + b"\n"),
    lambda bundle, _, __: bundle.replace(b"index ", b"index 0"),
    lambda bundle, _, __: bundle.replace(b"extra ", b"extra  "),
    lambda bundle, _, __: bundle + b"\n",
    lambda bundle, _, __: bundle.replace(b"\n", b"\r\n"),
    lambda bundle, _, __: bundle * 2,
]


def flipped(octets: bytes, chance: Random) -> bytes:
    place = chance.randrange(24, len(octets))
    return octets[:place] + bytes([octets[place] ^ 1 << chance.randrange(8)]) + octets[place + 1 :]


def case(seed: int) -> Case:
    """A quarter of all cases are honest; the others tell one lie, seldom two. Some are bundles."""
    made = honest(seed)
    chance = made.chance
    if chance.random() < 0.1:
        bundled(made)
        return made
    for _ in range(chance.choice([0, 1, 1, 1])):
        lie = chance.choice(LIES)
        lie(made)
        made.lies.append(lie.__name__)
    return made
