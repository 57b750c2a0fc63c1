"""Orders to prune, as they are sealed: which blocks lost their bodies, and which archive file has them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit import canonical
from audit.errors import Malformed
from audit.reader import Blocks

MARK: Final = b',"why":"prune"}'
"""How the header of a block with an order ends: ``why`` is its last field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the one entry of a ``prune`` block says."""

    height: int
    """Of the block that holds it."""
    first: int
    last: int
    entries: int
    sha256: str
    size: int
    name: str


def of(blocks: Blocks, above: int) -> Iterator[Order]:
    """Yield every sealed order above a height, oldest first; raises ``Malformed`` for one that cannot be read."""
    for stub in blocks.stubs(above):
        if stub.hdr.endswith(MARK):
            for sealed in blocks.entries_of(stub.height):
                yield order_of(sealed.height, canonical.decode(sealed.octets))


def order_of(height: int, fields: Mapping[str, object]) -> Order:
    """Read the entry of a ``prune`` block; raises ``Malformed``."""
    data = fields.get("data")
    if fields.get("kind") != "prune" or not isinstance(data, dict):
        raise Malformed(f"block {height} says prune, but holds no order")
    numbers = [data.get(name) for name in ("from", "to", "entries", "size")]
    texts = [data.get(name) for name in ("sha256", "name")]
    if not all(type(number) is int for number in numbers) or not all(type(text) is str for text in texts):
        raise Malformed(f"block {height}: an order to prune lacks something")
    name = str(data["name"])
    if Path(name).name != name or not name.endswith(".sealed"):
        raise Malformed(f"block {height}: an order to prune names no archive file")
    first, last, entries, size = (int(number) for number in numbers if isinstance(number, int))
    return Order(
        height=height, first=first, last=last, entries=entries, size=size, sha256=str(data["sha256"]), name=name
    )
