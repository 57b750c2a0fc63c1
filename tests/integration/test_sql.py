"""Queries of one's own with a whole agent: seen, given back by a statement, and by an event's own value."""

import sqlite3
import time

import yaml

from healer.app import Agent

RULES = {
    "version": 1,
    "rules": [
        {
            "id": "left-behind",
            "why": "A worker that died left its orders taken.",
            "target": "sql:orders",
            "when": 'sql.value{target,name="taken"} > 2',
            "mode": "auto",
            "cooldown": "1h",
            "then": [
                {
                    "sql": {
                        "statements": ["UPDATE orders SET state = %(to)s WHERE state = 'taken' AND id < 100"],
                        "values": {"to": "new", "share": 0.5},
                        "at_most": 10,
                    },
                    "verify": {"when": 'sql.value{target,name="taken"} == 0', "within": "5s"},
                }
            ],
        },
        {
            "id": "give-up",
            "why": "Somebody says that an order is lost.",
            "target": "sql:orders",
            "trigger": {"event": "order.lost"},
            "when": "sql.up{target} == 1",
            "mode": "auto",
            "cooldown": "0s",
            "then": [
                {
                    "update": {"table": "orders", "set": {"state": "lost"}, "where": {"id": "{event.id}"}},
                    "verify": {"when": 'sql.value{target,name="states",row="lost"} == 1', "within": "5s"},
                }
            ],
        },
    ],
}


def until(true, patience=10.0):
    end = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


def states(path):
    connection = sqlite3.connect(path)
    found = dict(connection.execute("SELECT state, count(*) FROM orders GROUP BY state").fetchall())
    connection.close()
    return found


def test_rows_left_behind_are_given_back_and_an_event_names_the_row_to_change(tmp_path):
    path = tmp_path / "orders.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT)")
        made.executemany("INSERT INTO orders VALUES (?, 'new')", [(number,) for number in range(20)])
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    target = {
        "kind": "sql",
        "name": "orders",
        "path": str(path),
        "queries": {
            "taken": "SELECT count(*) FROM orders WHERE state = 'taken'",
            "states": "SELECT state, count(*) FROM orders GROUP BY state",
        },
        "updates": {"orders": ["state"]},
        "every": "200ms",
        "startup_grace": "0s",
    }
    config = {
        "version": 1,
        "mode": "auto",
        "rules": {"files": [str(tmp_path / "rules.yaml")]},
        "targets": [target],
        "limits": {"saturation_psi": 1.0},
    }
    verdicts = []
    with Agent(config, state_dir=tmp_path / "s") as agent:
        agent.on("action.verdict", lambda _, data: verdicts.append(data["result"]))
        time.sleep(0.5)
        made.execute("UPDATE orders SET state = 'taken' WHERE id < 5")
        made.commit()
        made.close()
        until(lambda: verdicts == ["verified"])
        assert states(path) == {"new": 20}
        agent.ask("event", topic="order.lost", data={"id": 7})
        until(lambda: len(verdicts) == 2)
    assert verdicts == ["verified", "verified"]
    assert states(path) == {"new": 19, "lost": 1}
