"""What may be written into the log: every kind of entry and its fields, in one table."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, NamedTuple

from audit import canonical, commitments
from audit.errors import Malformed, UnknownVersion

VERSION: Final = 1
REDACTED: Final = "[redacted]"
_ABSENT: Final = object()


class Field(NamedTuple):
    """One field of one kind; a named tuple, so that the table below reads as a table."""

    name: str
    type: type
    what: str
    required: bool = True
    words: tuple[str, ...] = ()
    """The only values it may have, where it is a word."""


def _optional(name: str, kind: type, what: str) -> Field:
    return Field(name, kind, what, required=False)


_KIND: Final = Field("kind", str, "one of the kinds below")
COMMON: Final = (
    Field("v", int, "version of the entry's format: 1"),
    _KIND,
    Field("seq", int, "number of this entry in the log, from 0 without gaps"),
    Field("ts", int, "wall clock, µs since 1970 UTC"),
    Field("mono", int, "CLOCK_BOOTTIME, µs"),
    Field("boot", str, "the kernel's id of this boot"),
    Field("node", str, "the host's name in the configuration"),
)

_ENDS = ("failed-transient", "failed-permanent", "ambiguous", "stale", "cancelled", "interrupted", "refused")
_OF = Field("of", str, "leaf hash of the intent, 64 hex digits")
_ID = Field("id", str, "the action's id, as in its intent")
_BECAUSE = Field("because", str, "why, in words")
_MAYBE_BECAUSE = _optional("because", str, "why, in words")
_MAYBE_DATA = _optional("data", dict, "anything worth keeping")
_TOOK = Field("took_us", int, "how long it took, µs")

_BOOKKEEPING = (_BECAUSE, _MAYBE_DATA)

KINDS: Final[dict[str, tuple[Field, ...]]] = {
    "intent": (
        Field("id", str, "the action's own id"),
        Field("corr", str, "the incident it belongs to"),
        Field("action", str, "the verb"),
        Field("target", str, "what it acts on, KIND:NAME"),
        Field("generation", str, "which life of the target is meant; empty where it has none"),
        Field("params", dict, "the action's parameters, secrets redacted"),
        Field("rule", str, "the rule that asked; empty for a request"),
        Field("rules_hash", str, "hash of the rule set in force"),
        Field("step", int, "step of the ladder, from 0"),
        Field("attempt", int, "attempt of that step, from 1"),
        Field("actor", str, "rule:ID, operator:NAME or agent"),
        _BECAUSE,
        Field("evidence", list, "what it rests on: objects {series, value, age_us}"),
        Field("deadline_us", int, "CLOCK_BOOTTIME, µs, after which the effect must not begin"),
        Field("mode", str, "the mode in force"),
        _optional("request", str, "id of the request it answers"),
        _optional("priority", int, "1 to 10, 10 is the most urgent"),
        _optional("queued", dict, "where it waited, and how long"),
        _optional("approval", str, "id of the approval it rests on, which is used up by it"),
        _optional("undoes", str, "id of the action whose change it puts back"),
    ),
    "outcome": (
        _OF,
        _ID,
        Field("result", str, "how the effect ended", words=("done", *_ENDS, "skipped")),
        _BECAUSE,
        _TOOK,
        _optional("rc", int, "exit status"),
        _optional("generation", str, "the target's life after the effect"),
        _optional("output_sha256", str, "SHA-256 of all captured output, hex"),
        _optional("output", str, "its last 2 kB, secrets redacted"),
        _optional("evidence", list, "what was seen: objects {series, value, age_us}"),
        _optional("undo", dict, "parameters of the same verb that put back what was changed"),
    ),
    "verdict": (
        _OF,
        _ID,
        Field("result", str, "whether the cure was seen to work", words=("verified", "unverified", *_ENDS)),
        _BECAUSE,
        _TOOK,
        _optional("harmony_before", int, "harmony before the action, hundredths"),
        _optional("harmony_after", int, "harmony once things had settled, hundredths"),
    ),
    "state": (
        Field("subject", str, "incident:RULE@TARGET, breaker:ACTION@TARGET, target:ID, rule:ID, agent, …"),
        Field("from", str, "the state it left"),
        Field("to", str, "the state it entered"),
        _BECAUSE,
        _optional("corr", str, "the incident it belongs to"),
        _optional("rule", str, "the rule concerned"),
        _optional("target", str, "the target concerned"),
        _optional("step", int, "step of the ladder"),
        _MAYBE_DATA,
    ),
    "withheld": (
        Field("corr", str, "the incident it belongs to"),
        Field("rule", str, "the rule that wanted to act"),
        Field("target", str, "what it would have acted on"),
        Field("action", str, "the verb"),
        Field("gate", str, "the gate that said no"),
        _BECAUSE,
        _optional("proposal", str, "what would help instead"),
    ),
    "request": (
        Field("id", str, "the request's id"),
        Field("verb", str, "what was asked"),
        Field("who", str, "who asked"),
        Field("args", dict, "with which arguments, secrets redacted"),
        Field("answer", str, "what was said", words=("accepted", "refused")),
        _MAYBE_BECAUSE,
    ),
    "approval": (
        Field("id", str, "the approval's id"),
        _optional("intent_id", str, "id of the action it decides about"),
        Field("decision", str, "asked; then granted, denied, expired or stale"),
        Field("who", str, "who asked, or decided"),
        _MAYBE_BECAUSE,
        _optional("corr", str, "the incident it belongs to"),
        _optional("rule", str, "the rule that wants to act"),
        _optional("target", str, "what it would act on"),
        _optional("action", str, "the verb"),
        _optional("step", int, "step of the ladder, from 0"),
        _optional("until_us", int, "wall clock, µs, at which no answer is a no"),
        _optional("deadline_us", int, "CLOCK_BOOTTIME, µs, of the same"),
    ),
    "maintenance": (
        Field("id", str, "the window's id"),
        Field("op", str, "begin or end of a window", words=("add", "end")),
        Field("selector", dict, "which targets"),
        Field("owner", str, "who is responsible"),
        Field("reason", str, "why"),
        Field("until_us", int, "wall clock, µs: a window always expires"),
        _optional("from_us", int, "wall clock, µs, before which it covers nothing"),
        _optional("recurrence", dict, "the days and hours, in a zone, in which alone it covers anything"),
    ),
    "mode": (
        Field("scope", str, "agent, organ:NAME, rule:ID or target:ID"),
        Field("mode", str, "the mode from now on"),
        Field("who", str, "who set it"),
        _BECAUSE,
    ),
    "rules": (
        Field("hash", str, "hash of the rule set"),
        Field("count", int, "how many rules"),
        Field("files", list, "their files"),
        Field("accepted", bool, "whether it is in force"),
        _MAYBE_BECAUSE,
    ),
    "lifecycle": (
        Field("phase", str, "start, ready, drain, stop, crash-recovered, …"),
        _optional("version", str, "the agent's version"),
        _MAYBE_BECAUSE,
        _MAYBE_DATA,
    ),
    "heartbeat": (_optional("harmony", int, "harmony, hundredths"), _MAYBE_DATA),
    "evidence": (
        Field("about", str, "what it documents"),
        Field("sha256", str, "SHA-256 of the evidence kept outside the log, hex"),
        Field("size", int, "its size in bytes"),
        _MAYBE_DATA,
    ),
    "event": (
        Field("type", str, "dotted name"),
        Field("data", dict, "what happened, secrets redacted"),
        _optional("who", str, "who reported it"),
    ),
    "rotate": _BOOKKEEPING,
    "prune": _BOOKKEEPING,
    "anchor": _BOOKKEEPING,
    "gap": _BOOKKEEPING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    types: dict[str, type]
    required: frozenset[str]
    words: tuple[tuple[str, tuple[str, ...]], ...]
    take: Callable[[Mapping[str, object]], tuple[object, ...]]
    """Gives the values of the required fields: integers first, then texts, the others last."""
    taken: tuple[type, ...]
    """Their types."""
    integers: int
    others: int
    """Where the others begin."""
    optional: tuple[tuple[str, type], ...]


def _shape(every: Sequence[Field]) -> _Shape:
    sizes = {int: 0, str: 1}
    required = sorted((field for field in every if field.required), key=lambda field: sizes.get(field.type, 2))
    taken = tuple(field.type for field in required)
    names = [field.name for field in required]
    return _Shape(
        types={field.name: field.type for field in every},
        required=frozenset(field.name for field in required),
        words=tuple((field.name, field.words) for field in every if field.words),
        take=itemgetter(*names) if len(names) > 1 else lambda entry: (entry[names[0]],),
        taken=taken,
        integers=taken.count(int),
        others=taken.count(int) + taken.count(str),
        optional=tuple((field.name, field.type) for field in every if not field.required),
    )


_SHAPES: Final = {kind: _shape((*COMMON, *fields)) for kind, fields in KINDS.items()}
_OWN: Final = {kind: _shape((_KIND, *fields)) for kind, fields in KINDS.items()}
"""The same before the fields that are common to all have been added."""


def check(entry: Mapping[str, object]) -> None:
    """Raise ``Malformed`` unless the entry has the fields of its kind, all of them, no others, and fits the profile.

    Raises ``UnknownVersion`` for a version, a kind or a field that this code does not know.
    """
    if entry.get("v") != VERSION:
        raise UnknownVersion(f"entry version {str(entry.get('v'))[:20]} is not known here")
    kind = entry.get("kind")
    shape = _SHAPES.get(kind) if type(kind) is str else None
    if shape is None:
        raise UnknownVersion(f"entry kind {str(kind)[:40]!r} is not known here")
    if not _fits(entry, shape):
        _check_each(entry, shape)
    _check_words(entry, shape)


def complete(entries: Sequence[Mapping[str, object]], common: Mapping[str, object]) -> list[dict[str, object]]:
    """Add to entries the fields that are common to all, and check each; raises as ``check`` does.

    ``v``, ``seq`` and ``node`` are those of ``common``, whatever an entry says; the others where it says nothing.
    """
    ours = {name: common[name] for name in ("v", "seq", "node")}
    check({**common, "kind": "heartbeat"})
    full = [{**common, **fields, **ours} for fields in entries]
    for fields, one in zip(entries, full, strict=True):
        kind = fields.get("kind")
        shape = _OWN.get(kind) if type(kind) is str else None
        # What was added is good: an entry that has nothing but the fields of its kind is looked at for these alone.
        if shape is not None and _fits(fields, shape):
            _check_words(fields, shape)
        else:
            check(one)
    return full


def _check_words(entry: Mapping[str, object], shape: _Shape) -> None:
    for name, words in shape.words:
        if entry[name] not in words:
            raise Malformed(f"{entry['kind']}: {name} must be one of {', '.join(words)}")


def _fits(entry: Mapping[str, object], shape: _Shape) -> bool:
    """Tell at once that nothing is wrong with the fields; False is a doubt, for ``_check_each`` to settle.

    A hundred thousand entries a second come through here: names are the table's, texts are looked at by the encoder.
    """
    try:
        values = shape.take(entry)
    except KeyError:
        return False
    if tuple(map(type, values)) != shape.taken:
        return False
    known = len(values)
    for number in values[: shape.integers]:
        if not 0 <= number <= canonical.MAX_INTEGER:  # type: ignore[operator] # its type was compared above
            return False
    for value in values[shape.others :]:
        canonical.check(value)
    if known < len(entry):
        for name, kind in shape.optional:
            value = entry.get(name, _ABSENT)
            if type(value) is kind:
                known += 1
                if kind is not str:
                    canonical.check(value)
    return known == len(entry)


def _check_each(entry: Mapping[str, object], shape: _Shape) -> None:
    types, kind = shape.types, entry["kind"]
    for name, value in entry.items():
        if type(value) is not types.get(name):
            if name not in types:
                raise UnknownVersion(f"entry kind {kind} has no field {str(name)[:60]!r}")
            if not (types[name] is str and commitments.is_commitment(value) and commitments.may_conceal(name)):
                raise Malformed(f"{kind}: field {name} must be {_WORDS[types[name]]}")
        canonical.check(value)
    if not shape.required <= entry.keys():
        raise Malformed(f"{kind}: missing {', '.join(sorted(shape.required - entry.keys()))}")


def parse(octets: bytes) -> dict[str, object]:
    """Read and check one sealed entry; raises ``Malformed`` or ``UnknownVersion``."""
    entry = canonical.decode(octets)
    check(entry)
    return entry


_WORDS: Final = {str: "text", int: "an integer", bool: "true or false", dict: "an object", list: "an array"}
_SECRET_NAME: Final = re.compile(r"passw|passphrase|secret|token|api_?key|private_?key|authorization|cookie|credential")
_SHORTEST_SECRET: Final = 4


def redact(value: object, secrets: Collection[str] = ()) -> object:
    """Return a copy of ``value`` without secrets.

    Fields whose name says secret lose their value whole; each of ``secrets`` (the values in use, at least 4
    characters long) is taken out of every text it occurs in.
    """
    if isinstance(value, dict):
        return {
            name: REDACTED if item and _secret(name, item) else redact(item, secrets) for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(item, secrets) for item in value]
    if isinstance(value, str):
        for secret in secrets:
            if len(secret) >= _SHORTEST_SECRET:
                value = value.replace(secret, REDACTED)
    return value


def _secret(name: object, item: object) -> bool:
    """Tell whether a field's name says secret; a commitment in it gives nothing away."""
    return _SECRET_NAME.search(str(name).lower()) is not None and not commitments.is_commitment(item)


def table() -> str:
    """Return the fields of every kind as Markdown, for ``docs/log-format.md``."""
    lines = []
    for title, fields in (("every entry", COMMON), *((f"`{kind}`", fields) for kind, fields in KINDS.items())):
        lines += ["", f"#### {title}", "", "| field | type | | meaning |", "|---|---|---|---|"]
        for field in fields:
            need = "required" if field.required else "optional"
            words = f": {', '.join(f'`{word}`' for word in field.words)}" if field.words else ""
            lines.append(f"| `{field.name}` | {_WORDS[field.type]} | {need} | {field.what}{words} |")
    return "\n".join(lines[1:]) + "\n"
