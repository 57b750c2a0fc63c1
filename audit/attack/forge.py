"""What a thief of the keys can seal: blocks like the agent's own, with whatever he likes in them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Protocol

from audit import block, canonical, merkle, ratchet
from audit.ed25519 import Secret
from audit.reader import Row

STEP_US = 1000
Alter = Callable[[Row, list[bytes]], Mapping[str, object]]
"""Changes a block's entries in place; returns header fields to be changed."""


class Named(Protocol):
    """Whatever has a fingerprint."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, hex."""
        ...


class Sealer(Protocol):
    """Whatever signs like the agent's key, or nearly so."""

    @property
    def public(self) -> Named:
        """The key it claims to be."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return a signature."""
        ...


class Chain:
    """A log under the thief's pen."""

    def __init__(self, rows: Iterable[Row], key: Sealer, secret: Secret | None = None) -> None:
        """Go on after ``rows``; without the ratchet's ``secret`` the next block must claim that it was lost."""
        self.rows = list(rows)
        self.key = key
        self.secret = secret

    @property
    def previous(self) -> block.Header | None:
        """The header of the newest block."""
        return block.parse_header(self.rows[-1].hdr) if self.rows else None

    @property
    def seq(self) -> int:
        """The number the next entry must have."""
        previous = self.previous
        return previous.first + previous.count if previous else 0

    def entry(self, *, place: int = 0, **fields: object) -> bytes:
        """Return an entry for the next block, an event where ``fields`` do not say another kind."""
        return canonical.encode({**self.common(place), **_event(fields), **fields})

    def common(self, place: int = 0) -> dict[str, object]:
        """Return the fields every entry has."""
        previous = self.previous
        ts, boot = (previous.sealed, previous.boot) if previous else (0, "boot")
        return {"v": 1, "seq": self.seq + place, "ts": ts, "mono": 1, "boot": boot, "node": "thief"}

    def add(
        self,
        *entries: bytes,
        raw: Callable[[bytes], bytes] | None = None,
        signers: Sequence[Sealer] = (),
        secret: Secret | None = None,
        header: Mapping[str, object] | None = None,
        **changes: object,
    ) -> Row:
        """Seal a block; ``header`` and ``changes`` go into its header.

        ``raw`` changes the header's octets before they are signed.
        """
        previous = self.previous
        body = block.join_body(entries)
        due = bool(previous and previous.next)
        fresh = Secret.generate()
        fields: dict[str, object] = {
            **self._after(previous),
            "count": len(entries),
            "root": merkle.root(merkle.leaf_hashes(entries)).hex(),
            "body": sha256(body).hexdigest(),
            "body_len": len(body),
            "next": fresh.public.hex(),
            "keys": [one.public.fingerprint for one in signers or (self.key,)],
            "why": "restart" if due and self.secret is None and secret is None else "commit",
            **(header or {}),
            **changes,
        }
        octets = canonical.encode(fields)
        octets = raw(octets) if raw else octets
        return self._append(fields, octets, body, signers, secret or (self.secret if due else None), fresh)

    def _append(
        self,
        fields: Mapping[str, object],
        octets: bytes,
        body: bytes,
        signers: Sequence[Sealer],
        secret: Secret | None,
        fresh: Secret,
    ) -> Row:
        signature = b"".join(one.sign(block.signed_octets(octets)) for one in signers or (self.key,))
        rsig = secret.sign(ratchet.signed_octets(octets)) if secret and fields["why"] != "restart" else b""
        numbers = [int(str(fields[name])) for name in ("height", "first", "count")]
        row = Row(numbers[0], numbers[1], numbers[2], octets, signature, rsig, body)
        self.rows.append(row)
        self.secret = fresh if fields["next"] == fresh.public.hex() else None
        return row

    @staticmethod
    def _after(previous: block.Header | None) -> dict[str, object]:
        if previous is None:
            fields: dict[str, object] = {"origin": "thief.example/log", "height": 0, "first": 0, "prev": block.GENESIS}
            return {**fields, "v": 1, "beacon": "", "open": 0, "opened": 1, "sealed": 1, "mono": 1, "boot": "boot"}
        fields = asdict(previous)
        wall = previous.sealed + STEP_US
        following = {"opened": wall, "sealed": wall, "mono": previous.mono + STEP_US, "height": previous.height + 1}
        first = previous.first + previous.count
        return {**fields, **following, "first": first, "prev": block.hash_of(previous.encode()), "beacon": ""}

    def again(self, row: Row, ring: Mapping[str, Sealer], alter: Alter | None = None) -> None:
        """Seal a block once more behind what there is now, changed by ``alter``, its numbers and times kept."""
        header = block.parse_header(row.hdr)
        entries = block.split_body(row.body)
        more = dict(alter(row, entries)) if alter else {}
        kept = {name: getattr(header, name) for name in ("opened", "sealed", "mono", "boot", "beacon", "open")}
        why = {} if header.why == "restart" else {"why": header.why}
        if self.secret is None and (previous := self.previous) is not None and previous.next:
            why = {"why": "restart"}
        pruned = {name: getattr(header, name) for name in ("count", "root", "body", "body_len")} if not row.body else {}
        signers = [ring[name] for name in header.keys if name in ring] or [self.key]
        if len(signers) > 1:
            why = {"why": "rotate"}
        place = {} if self.rows else {"origin": header.origin}
        self.add(*entries, signers=signers, header={**kept, **why, **pruned, **place, **more})
        self.key = signers[-1]


def _event(fields: Mapping[str, object]) -> dict[str, object]:
    return {} if "kind" in fields else {"kind": "event", "type": "thief.wrote", "data": {"text": "all is well"}}
