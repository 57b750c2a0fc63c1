"""Histories sealed again: with a key of the attacker's own, with the stolen RSA key, with every key there is."""

from collections.abc import Mapping
from typing import Final

from audit import block, canonical
from audit.attack.case import Case
from audit.attack.catalog import Family, Power
from audit.attack.forge import Chain
from audit.ed25519 import Secret
from audit.reader import Row

FAMILY: Final = Family("resealed", "histories sealed again", "fork")
_NEW_KEY: Final = "without a key to compare, any key is as good"
_THIEF: Final = "it is signed by the right key: only somebody who remembers the old head can tell"
_BREAK: Final = (
    "the stolen key signs well, but the ratchet's secrets are gone: it shows as a break, L1 where L2 was asked for"
)
_FUTURE: Final = (
    "whoever has every key of a machine writes what he likes from then on; nothing that was written is changed"
)
_FORK: Final = "each auditor's log is whole and signed: only witnesses see both"


def rewritten(row: Row, entries: list[bytes]) -> Mapping[str, object]:
    """Tell another story: entries with ``because``, and events, get another text."""
    del row
    for place, octets in enumerate(entries):
        fields = canonical.decode(octets)
        if fields["kind"] in {"outcome", "verdict", "state", "withheld"}:
            entries[place] = canonical.encode({**fields, "because": "all went well"})
        elif fields["kind"] in {"event", "heartbeat", "lifecycle"}:
            entries[place] = canonical.encode({**fields, "node": "elsewhere"})
    return {}


def _without_rotations(row: Row, entries: list[bytes]) -> Mapping[str, object]:
    """Tell another story in which the key was never changed."""
    if block.parse_header(row.hdr).why != "rotate":
        return rewritten(row, entries)
    entries[:] = [canonical.encode({**_common(entries[0]), "kind": "heartbeat"})]
    return {"why": "heartbeat"}


def _common(octets: bytes) -> dict[str, object]:
    fields = canonical.decode(octets)
    return {name: fields[name] for name in ("v", "seq", "ts", "mono", "boot", "node")}


@FAMILY.attack(Power.FILE, "nsss", _NEW_KEY, codes="rekeyed")
def _resealed_with_a_new_key(case: Case) -> None:
    """The whole history is rewritten, and sealed with a key of the attacker's."""
    own = case.world.own
    chain = Chain([], own)
    for row in case.rows:
        chain.again(row, {}, _without_rotations)
    case.write(chain.rows)


@FAMILY.attack(Power.RSA, "nnss", _THIEF)
def _resealed_with_the_stolen_key(case: Case) -> None:
    """The whole history is rewritten, sealed with the stolen keys and a new ratchet."""
    case.write(case.resealed(0, rewritten))


@FAMILY.attack(Power.RSA, "nnss", _THIEF)
def _rewritten_below_the_anchor(case: Case) -> None:
    """History is rewritten from the middle on, as if the agent had crashed there."""
    case.write(case.resealed(case.below, rewritten))


@FAMILY.attack(Power.RSA, "nnns", _BREAK)
def _rewritten_above_the_anchor(case: Case) -> None:
    """History is rewritten after the anchor, as if the agent had crashed there."""
    case.write(case.resealed(case.above, rewritten))


@FAMILY.attack(Power.RSA, "nnss", _THIEF)
def _cut_and_continued_below_the_anchor(case: Case) -> None:
    """The log is cut below the anchor and goes on with a forged restart, as long as it was."""
    _continued(case, case.below)


@FAMILY.attack(Power.RSA, "nnns", _BREAK)
def _cut_and_continued_above_the_anchor(case: Case) -> None:
    """The log is cut above the anchor and goes on with a forged restart, as long as it was."""
    _continued(case, case.above)


def _continued(case: Case, height: int) -> None:
    chain = case.cut(height)
    while len(chain.rows) < len(case.rows):
        chain.add(chain.entry())
    case.write(chain.rows)


@FAMILY.attack(Power.RSA, "ssss", codes="ratchet")
def _cut_and_continued_without_a_restart(case: Case) -> None:
    """The log is cut and goes on, and does not say that the ratchet was lost."""
    chain = case.cut(case.above)
    chain.add(chain.entry(), why="commit")
    case.write(chain.rows)


@FAMILY.attack(Power.RSA, "ssss", codes="ratchet")
def _cut_and_continued_with_a_ratchet_of_his_own(case: Case) -> None:
    """The log is cut and goes on with a ratchet key that the block before did not name."""
    chain = case.cut(case.above)
    chain.secret = Secret.generate()
    chain.add(chain.entry())
    case.write(chain.rows)


@FAMILY.attack(Power.EVERY, "ssss", codes="ratchet")
def _cut_and_continued_with_the_current_secret(case: Case) -> None:
    """The log is cut and goes on with the ratchet's current secret, which fits the head alone."""
    chain = case.cut(case.above)
    chain.secret = case.secret
    chain.add(chain.entry())
    case.write(chain.rows)


@FAMILY.attack(Power.RSA, "nnns", "a log whose ratchet was switched off is L1, and L2 was asked for", codes="cut fork")
def _ratchet_switched_off(case: Case) -> None:
    """The log is cut above the anchor and goes on without a ratchet."""
    chain = case.cut(case.above)
    chain.add(chain.entry(), next="")
    chain.add(chain.entry(), next="")
    case.write(chain.rows)


@FAMILY.attack(Power.EVERY, "nnuu", _FUTURE)
def _future_written(case: Case) -> None:
    """What never happened is added at the end, with every key there is."""
    chain = case.future()
    chain.add(chain.entry())
    case.write(chain.rows)


@FAMILY.attack(
    Power.EVERY, "nnun", f"{_FUTURE}; witnesses who saw none of it for longer than --tail are missed", codes="level"
)
def _future_written_without_witnesses(case: Case) -> None:
    """What never happened is added for five minutes, and kept from the witnesses."""
    chain = case.future()
    head = case.world.head
    chain.add(chain.entry(), sealed=head.sealed + 100_000_000, mono=head.mono + 100_000_000)
    chain.add(chain.entry(), sealed=head.sealed + 400_000_000, mono=head.mono + 400_000_000)
    case.write(chain.rows)


@FAMILY.attack(Power.EVERY, "nnus", _FORK)
def _fork(case: Case) -> None:
    """Two auditors are shown two logs that part after the anchor; the witnesses have seen the other one."""
    one, two = case.future(), case.future()
    one.add(one.entry())
    two.add(two.entry(data={"text": "another story"}))
    case.show(case.world.cosigned(one.rows))
    case.write(two.rows)
