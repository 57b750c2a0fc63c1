"""Stretches of time: samples become buckets, buckets become wider ones, and both fit into a few octets."""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from healer.store import columns
from healer.store.kept import Bucket, Words

MEAN_DIGITS = 7
"""A mean has more digits than what it was made of."""
_LENGTH = struct.Struct(">I")


def bucketed(times: Sequence[float], values: Sequence[float], width: float) -> list[Bucket]:
    """Numbers in order of time as buckets of ``width`` seconds, aligned to the clock."""
    return [
        Bucket(at, min(held), max(held), _mean(held), held[-1], len(held))
        for at, first, after in _stretches(times, width)
        if (held := values[first:after])
    ]


def worded(times: Sequence[float], words: Sequence[str], width: float) -> list[Words]:
    """The same for words."""
    return [Words(at, words[after - 1], after - first) for at, first, after in _stretches(times, width)]


def widened(buckets: Iterable[Bucket], width: float) -> list[Bucket]:
    """Buckets as wider ones; those of the same stretch, in any order, become one."""
    ordered = sorted(buckets, key=lambda one: one.at)
    return [_joined(at, list(held)) for at, held in groupby(ordered, lambda one: one.at // width * width)]


def joined_words(found: Iterable[Words], width: float) -> list[Words]:
    """The same for words."""
    ordered = sorted(found, key=lambda one: one.at)
    grouped = ((at, list(held)) for at, held in groupby(ordered, lambda one: one.at // width * width))
    return [Words(at, held[-1].last, sum(one.samples for one in held)) for at, held in grouped]


def pack(buckets: Sequence[Bucket]) -> bytes:
    """All but the times of buckets."""
    packed = [columns.pack_numbers([float(one[place]) for one in buckets], MEAN_DIGITS) for place in range(1, 6)]
    return b"".join(_LENGTH.pack(len(one)) + one for one in packed)


def unpack(times: Sequence[float], octets: bytes) -> list[Bucket]:
    """The inverse of `pack`; raises ColumnError."""
    found = list(_parts(octets))
    if len(found) != 5:
        raise columns.ColumnError(f"{len(found)} columns instead of 5")
    read = [columns.unpack_numbers(one, len(times)) for one in found]
    return [_sane(at, *row) for at, *row in zip(times, *read, strict=True)]


def _sane(at: float, least: float, most: float, mean: float, last: float, count: float) -> Bucket:
    # Digits that were rounded away must not put a mean outside of what it is the mean of.
    return Bucket(at, least, most, min(max(mean, least), most), last, int(count))


def _joined(at: float, held: Sequence[Bucket]) -> Bucket:
    count = sum(one.samples for one in held)
    least, most = min(one.least for one in held), max(one.most for one in held)
    mean = sum(one.mean * (one.samples / count) for one in held)
    return Bucket(at, least, most, min(max(mean, least), most), held[-1].last, count)


def _mean(held: Sequence[float]) -> float:
    count = len(held)
    # Divided first: a sum of large numbers would be infinite.
    return min(max(sum(one / count for one in held), min(held)), max(held))


def _stretches(times: Sequence[float], width: float) -> Iterator[tuple[float, int, int]]:
    first = 0
    while first < len(times):
        at = times[first] // width * width
        after = max(first + 1, bisect_left(times, at + width, first))
        yield at, first, after
        first = after


def _parts(octets: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(octets):
        if place + _LENGTH.size > len(octets):
            raise columns.ColumnError("cut short")
        (length,) = _LENGTH.unpack_from(octets, place)
        place += _LENGTH.size
        if place + length > len(octets):
            raise columns.ColumnError("cut short")
        yield octets[place : place + length]
        place += length
