"""Which intents are open."""

import pytest

from audit.errors import Malformed
from audit.intents import Ledger, OpenIntent


def take(ledger, fields, leaf="ab"):
    return ledger.take({"seq": 4, "boot": "b", **fields}, leaf)


def test_an_intent_is_open_until_its_outcome(intent, outcome, event):
    ledger = Ledger()
    assert take(ledger, intent("a1")) == ""
    assert ledger.waiting == {"ab": OpenIntent(seq=4, id="a1", boot="b", deadline_us=98_300_000_000)}
    assert take(ledger, event(), "cd") == ""
    assert take(ledger, outcome("ab"), "ef") == "ab"
    assert ledger.waiting == {}


def test_an_outcome_without_an_open_intent_is_refused(intent, outcome):
    ledger = Ledger()
    with pytest.raises(Malformed, match="not an open intent"):
        take(ledger, outcome("ab"))
    take(ledger, intent())
    take(ledger, outcome("ab"))
    with pytest.raises(Malformed):
        take(ledger, outcome("ab"))


def test_a_copy_is_independent(intent):
    ledger = Ledger()
    take(ledger.copy(), intent())
    assert ledger.waiting == {}
