"""The oracle reads the log from its bytes, and notices when it is not what it was."""

import sqlite3

from healer.simulation.life import Life
from healer.simulation.oracle import Evidence, judge


def lived(house, seconds=60.0):
    house.world.plan(10.0, lambda: house.world.die("program:p1"))
    Life(house).live(seconds)
    return Evidence(house=house)


def forge(house, statement):
    file = sqlite3.connect(house.folder / "audit.db")
    for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        file.execute(f"DROP TRIGGER {name}")
    assert file.execute(statement).rowcount == 1
    file.commit()
    file.close()


def test_an_honest_life_is_read_and_not_blamed(house):
    evidence = lived(house)
    evidence.inspect("")
    assert evidence.violations == []
    (deed,) = [deed for deed in evidence.deeds.values() if not deed.quiet]
    assert (len(deed.effects), len(deed.outcomes), len(deed.verdicts)) == (1, 1, 1)
    assert not deed.without_effect
    assert deed.ended == deed.effects[0].ended
    assert deed.freed == deed.verdicts[0].at
    judge(evidence)
    assert evidence.violations == []


def test_a_changed_byte_is_blamed(house):
    evidence = lived(house)
    forge(house, "UPDATE blocks SET body = CAST(replace(CAST(body AS TEXT), 'seen', 'SEEN') AS BLOB) WHERE height = 3")
    evidence.inspect("")
    assert any(one.startswith("the log verifies") for one in evidence.violations)


def test_a_cut_tail_is_blamed_although_what_is_left_verifies(house):
    evidence = lived(house)
    evidence.inspect("")
    forge(house, "DELETE FROM blocks WHERE height = (SELECT max(height) FROM blocks)")
    evidence.inspect("")
    assert any(one.startswith("what is sealed stays") for one in evidence.violations)


def test_what_a_crash_left_open_is_worth_noting(house):
    house.chance.rates = {"crash.after-seal": 1.0}
    house.world.plan(10.0, lambda: house.world.die("program:p1"))
    evidence = Evidence(house=house)
    evidence.inspect(Life(house).live(60.0))
    assert "crash between seal and effect" in house.chance.reached
