import pytest

from audit import orders
from audit.errors import Malformed
from audit.reader import Log
from audit.writer import Writer

DATA = {"from": 1, "to": 2, "entries": 3, "size": 4, "sha256": "ab" * 32, "name": "archive-1-2.sealed"}


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"from": 1},
        {**DATA, "from": "1"},
        {**DATA, "to": True},
        {**DATA, "size": None},
        {**DATA, "sha256": 1},
        {**DATA, "name": "../a.sealed"},
        {**DATA, "name": "/etc/passwd"},
        {**DATA, "name": "a.sealed/"},
        {**DATA, "name": ""},
    ],
)
def test_an_order_that_is_none_is_refused(data):
    with pytest.raises(Malformed):
        orders.order_of(3, {"kind": "prune", "data": data})


def test_an_order_is_read_from_a_prune_entry_only():
    order = orders.order_of(9, {"kind": "prune", "data": DATA})
    assert (order.height, order.first, order.last, order.entries, order.size) == (9, 1, 2, 3, 4)
    with pytest.raises(Malformed):
        orders.order_of(9, {"kind": "event", "data": DATA})


def test_orders_are_found_by_their_headers(tmp_path, key, event):
    with Writer.open(tmp_path / "s", node="n", signer=key, inline=True, reserve_bytes=0) as writer:
        writer.append(event(0, text=',"why":"prune"}'))
        height = writer.append({"kind": "prune", "because": "x", "data": DATA}).height
        writer.append(event(1))
        with Log.open(tmp_path / "s") as log:
            assert [order.height for order in orders.of(log, 0)] == [height]
            assert list(orders.of(log, height + 1)) == []
