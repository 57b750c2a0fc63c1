import syslog

from healer.model.kinds.catalog import KINDS
from healer.model.kinds.journal import KIND, PRIORITIES


def test_priorities_stand_in_the_order_of_their_numbers():
    assert KINDS["journal"] is KIND
    assert PRIORITIES.index("err") == syslog.LOG_ERR
    assert PRIORITIES.index("debug") == syslog.LOG_DEBUG
    assert KIND.pushed
