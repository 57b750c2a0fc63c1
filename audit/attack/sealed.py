"""Blocks that break the format's own rules, sealed with every key there is: nothing but the rule can catch them."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from audit import block, canonical
from audit.attack.case import Case
from audit.attack.catalog import Family, Power
from audit.attack.forge import Chain

SPELLING: Final = Family("spelling", "the one spelling of canonical JSON", "header entry")
VERSIONS: Final = Family("versions", "versions, kinds and fields that nobody knows", "version header")
CLOCKS: Final = Family("clocks", "the clocks that blocks were sealed by", "chain")
RULES: Final = Family("rules", "what entries and headers may say", "chain body header open")
_UNKNOWN: Final = "what a verifier does not know it cannot prove, and does not skip"
_WALL: Final = "wall clocks are the host's own claim; the report notes the jump, and order is height"
_BOOT: Final = "a boot is what the host says it is; order is height, not time"
_Respell = Callable[[bytes], bytes]

# ------------------------------------------------------------------------------------------ spelling

_TRICKS: Final[tuple[tuple[str, str, _Respell], ...]] = (
    ("key-twice", "a key comes twice", lambda octets: octets[:-1] + b"," + _last_member(octets) + b"}"),
    ("escape", "a letter is written as an escape", lambda octets: octets.replace(b'"v":', b'"\\u0076":')),
    ("float", "a number is written as 1.0", lambda octets: octets.replace(b'"v":1', b'"v":1.0')),
    ("exponent", "a number is written as 1e0", lambda octets: octets.replace(b'"v":1', b'"v":1e0')),
    ("leading-zero", "a number is written as 01", lambda octets: octets.replace(b'"v":1', b'"v":01')),
    ("minus-zero", "a zero is written as -0", lambda octets: _zeroed(octets, b"-0")),
    ("white-space", "white space stands between two members", lambda octets: octets.replace(b',"v":', b', "v":')),
    ("newline", "a newline stands at the end", lambda octets: octets + b"\n"),
    (
        "order",
        "the members stand in another order",
        lambda octets: b"{" + _last_member(octets) + b"," + octets[1:].replace(b"," + _last_member(octets), b""),
    ),
    ("byte-order-mark", "a byte order mark stands at the beginning", lambda octets: b"\xef\xbb\xbf" + octets),
    ("lone-surrogate", "a text holds half a character, escaped", lambda octets: _texted(octets, b"\\ud800")),
    ("bad-utf8", "a text holds octets that are not UTF-8", lambda octets: _texted(octets, b"\xed\xa0\x80")),
    ("big-integer", "a number is larger than 2^53", lambda octets: _zeroed(octets, b"9007199254740993")),
    ("not-a-number", "a number is NaN", lambda octets: _zeroed(octets, b"NaN")),
    (
        "deep",
        "a text is replaced by 5,000 arrays in each other",
        lambda octets: _zeroed(octets, b"[" * 5000 + b"]" * 5000),
    ),
    ("capital-key", "a key begins with a capital letter", lambda octets: octets.replace(b'"v":', b'"V":')),
    ("array", "an array stands where an object is due", lambda octets: b"[" + octets + b"]"),
    ("nothing", "no octets are there at all", lambda _: b""),
)


def _last_member(octets: bytes) -> bytes:
    fields = json.loads(octets)
    name = max(fields)
    return canonical.encode({name: fields[name]})[1:-1]


def _zeroed(octets: bytes, number: bytes) -> bytes:
    """Write a number in the place of the height, or of the wall time of an entry."""
    fields: dict[str, Any] = json.loads(octets)
    name = "open" if "open" in fields else "ts"
    return octets.replace(f'"{name}":{fields[name]}'.encode(), f'"{name}":'.encode() + number)


def _texted(octets: bytes, text: bytes) -> bytes:
    """Put octets into the id of the boot."""
    return octets.replace(b'"boot":"', b'"boot":"' + text)


def _respelled_header(respell: _Respell) -> Callable[[Case], None]:
    def make(case: Case) -> None:
        chain = case.future()
        chain.add(chain.entry(), raw=respell)
        case.write(chain.rows)

    return make


def _respelled_entry(respell: _Respell) -> Callable[[Case], None]:
    def make(case: Case) -> None:
        chain = case.future()
        chain.add(respell(chain.entry()))
        case.write(chain.rows)

    return make


for _name, _what, _respell in _TRICKS:
    SPELLING.add(f"header-{_name}", f"In a header, {_what}", Power.EVERY, "ssss", _respelled_header(_respell))
    SPELLING.add(f"entry-{_name}", f"In an entry, {_what}", Power.EVERY, "ssss", _respelled_entry(_respell))

# ------------------------------------------------------------------------------- versions, clocks, rules


def _with_header(changes: Mapping[str, object]) -> Callable[[Case], None]:
    """Add a block whose header says something else."""

    def make(case: Case) -> None:
        chain = case.future()
        chain.add(chain.entry(), header=changes)
        case.write(chain.rows)

    return make


def _without(name: str) -> _Respell:
    return lambda octets: canonical.encode({key: value for key, value in json.loads(octets).items() if key != name})


def _with_entries(make_entries: Callable[[Chain], list[bytes]], **changes: object) -> Callable[[Case], None]:
    """Add a block with these entries."""

    def make(case: Case) -> None:
        chain = case.future()
        chain.add(*make_entries(chain), header=changes)
        case.write(chain.rows)

    return make


def _following(make: Callable[[Case], None]) -> Callable[[Case], None]:
    """Make an attack that only somebody sees who can follow every intent."""

    def check_first(case: Case) -> None:
        case.need_every_body()
        make(case)

    return check_first


_Line = tuple[str, str, Mapping[str, object]]
_HEADERS: Final[tuple[_Line, ...]] = (
    ("header-version-0", "A header claims the version 0", {"v": 0}),
    ("header-version-2", "A header claims the version 2", {"v": 2}),
    ("header-version-true", "A header claims the version true", {"v": True}),
)
_ENTRIES: Final[tuple[_Line, ...]] = (
    ("entry-version-2", "An entry claims the version 2", {"v": 2}),
    ("entry-unknown-kind", "An entry is of a kind that nobody knows", {"kind": "later"}),
    ("entry-unknown-field", "An entry has a field that nobody knows", {"more": 1}),
)


def _changed(octets: bytes, fields: Mapping[str, object]) -> bytes:
    return canonical.encode({**canonical.decode(octets), **fields})


def _with_entry(fields: Mapping[str, object]) -> Callable[[Case], None]:
    return _with_entries(lambda chain: [_changed(chain.entry(), fields)])


for _name, _what, _changes in _HEADERS:
    VERSIONS.add(_name, _what, Power.EVERY, "nnnn", _with_header(_changes), because=_UNKNOWN)

for _name, _what, _changes in _ENTRIES:
    VERSIONS.add(_name, _what, Power.EVERY, "nnnn", _with_entry(_changes), because=_UNKNOWN)


@VERSIONS.attack(Power.FILE, "nnnn", _UNKNOWN)
def _downgraded_in_the_middle(case: Case) -> None:
    """A header in the middle claims another version, so that what follows is not looked at."""
    row = case.rows[case.below]
    case.put(row._replace(hdr=row.hdr.replace(b'"v":1', b'"v":0')))


VERSIONS.add(
    "header-unknown-field",
    "A header has a field that nobody knows",
    Power.EVERY,
    "ssss",
    _respelled_header(lambda octets: _changed(octets, {"w": 1})),
)
VERSIONS.add(
    "header-field-missing", "A header lacks a field", Power.EVERY, "ssss", _respelled_header(_without("beacon"))
)
VERSIONS.add(
    "header-unknown-why", "A header has a reason nobody knows", Power.EVERY, "ssss", _with_header({"why": "x"})
)


@CLOCKS.attack(Power.EVERY, "ssss")
def _monotonic_clock_falls(case: Case) -> None:
    """The monotonic clock falls within one boot."""
    _with_header({"mono": case.world.head.mono - 1})(case)


@CLOCKS.attack(Power.EVERY, "nnuu", f"{_BOOT}; neighbours are compared, not boots long ago")
def _boot_used_again(case: Case) -> None:
    """A boot's id comes back with a clock that has fallen, after another boot."""
    head, chain = case.world.head, case.future()
    chain.add(chain.entry(), header={"boot": "another", "mono": 5})
    chain.add(chain.entry(), header={"boot": head.boot, "mono": head.mono - 5})
    case.write(chain.rows)


@CLOCKS.attack(Power.EVERY, "nnuu", _WALL)
def _wall_clock_backwards(case: Case) -> None:
    """The wall clock is put back by an hour."""
    earlier = case.world.head.sealed - 3_600_000_000
    _with_header({"sealed": earlier, "opened": earlier})(case)


@CLOCKS.attack(Power.EVERY, "nnuu", _BOOT)
def _boot_invented(case: Case) -> None:
    """A boot that never happened hides that the monotonic clock fell."""
    _with_header({"boot": "invented", "mono": 1})(case)


_LIES: Final[tuple[_Line, ...]] = (
    ("height-skipped", "A header leaves out a height", {"height": 1 << 40}),
    ("first-entry-lies", "A header begins at another entry", {"first": 0}),
    ("count-lies", "A header counts more entries than there are", {"count": 2}),
    ("root-lies", "A header has another root than its entries", {"root": "0" * 64}),
    ("body-hash-lies", "A header has another hash than its body", {"body": "0" * 64}),
    ("length-lies", "A header has another length than its body", {"body_len": 1}),
    ("previous-lies", "A header follows another block", {"prev": "1" * 64}),
    ("negative", "A header holds a negative number", {"opened": -1}),
    ("origin-with-plus", "A header names the log with a plus, as two keys would be", {"origin": "a+b"}),
    ("keys-empty", "A header names no key", {"keys": []}),
    ("next-too-short", "A header names a ratchet key that is no hex", {"next": "xyz"}),
)
for _name, _what, _changes in _LIES:
    RULES.add(_name, _what, Power.EVERY, "ssss", _with_header(_changes))

_VERDICT: Final[dict[str, Any]] = {"kind": "verdict", "id": "x", "result": "verified", "because": "seen", "took_us": 1}
_OUTCOME: Final[dict[str, Any]] = {"kind": "outcome", "id": "x", "result": "done", "because": "exit 0", "took_us": 1}


def _twice(chain: Chain) -> list[bytes]:
    """Close an intent that was closed before: the newest outcome once more."""
    for row in reversed(chain.rows):
        for octets in block.split_body(row.body):
            fields = canonical.decode(octets)
            if fields["kind"] == "outcome":
                return [chain.entry(**{**_OUTCOME, "of": fields["of"]})]
    return [chain.entry(**_OUTCOME, of="ab" * 32)]


_UNFOLLOWED: Final[tuple[tuple[str, str, Callable[[Chain], list[bytes]]], ...]] = (
    (
        "outcome-without-intent",
        "An outcome closes an intent that was never sealed",
        lambda chain: [chain.entry(**_OUTCOME, of="ab" * 32)],
    ),
    ("outcome-twice", "An intent gets a second outcome", _twice),
    (
        "verdict-without-intent",
        "A verdict is on an intent that was never sealed",
        lambda chain: [chain.entry(**_VERDICT, of="ab" * 32)],
    ),
)
for _name, _what, _make in _UNFOLLOWED:
    RULES.add(_name, _what, Power.EVERY, "ssss", _following(_with_entries(_make)), codes="entry")

RULES.add(
    "open-intents-lie",
    "A header miscounts the intents that are still open",
    Power.EVERY,
    "ssss",
    _following(_with_header({"open": 999})),
    codes="open",
)

for _name, _what, _make in (
    ("wrong-number", "An entry says that it is another", lambda chain: [_changed(chain.entry(), {"seq": 0})]),
    ("field-missing", "An entry lacks a field of its kind", lambda chain: [chain.entry(kind="verdict", of="ab" * 32)]),
    (
        "rotation-in-passing",
        "A change of keys hides in an ordinary block",
        lambda chain: [chain.entry(kind="rotate", because="x", data={})],
    ),
):
    RULES.add(_name, _what, Power.EVERY, "ssss", _with_entries(_make), codes="entry rotation")
