"""A metric is bounded as its unit is by nature."""

import pytest

from healer.model.metric import Shelf
from healer.model.unit import Unit

SHELF = Shelf(labels=("target",), max_age=60.0)


@pytest.mark.parametrize(
    ("unit", "low", "high"),
    [
        (Unit.FLAG, 0, 1),
        (Unit.SCORE, 0, 100),
        (Unit.BYTES, 0, None),
        (Unit.NUMBER, None, None),
        (Unit.CELSIUS, None, None),
    ],
)
def test_what_a_unit_cannot_be_is_garbage(unit, low, high):
    made = SHELF.put("x.y", unit, "what it is", "queue")
    assert (made.minimum, made.maximum) == (low, high)
    assert made.labels == ("target", "queue")
    assert made.max_age == 60.0


def test_a_share_is_of_a_whole():
    made = SHELF.share("x.part", "of it")
    assert (made.unit, made.minimum, made.maximum) == (Unit.RATIO, 0, 1)
