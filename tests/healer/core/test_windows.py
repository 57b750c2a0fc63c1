import datetime as dt
import json
import math

import pytest

from healer.core.core import Core
from healer.core.windows import FOREVER, YEAR
from healer.model.memory import Memory
from healer.testing import WALL

HOUR = 3600.0


@pytest.fixture
def scene(talk):
    scenario = talk.with_rules(talk.rule(cooldown=1.0))
    talk.up(scenario, 1)
    scenario.wait(1)
    return scenario


def accepted(answer):
    assert answer["answer"] == "accepted", answer["because"]
    return answer["because"]


def refused(answer):
    assert answer["answer"] == "refused"
    return answer["because"]


def fall(scene, talk, seconds=3):
    for _ in range(seconds):
        talk.up(scene, 0)
        scene.wait(1)


def moves(scene):
    return [(one["subject"], one["to"]) for one in scene.log.of("state") if one["subject"].startswith("maintenance:")]


def test_a_window_in_the_future_holds_back_when_its_time_has_come_and_says_so(scene, talk):
    key = accepted(scene.ask("maintenance-add", "program:api", **{"from": WALL + 100, "for": 60}, reason="upgrade"))
    (entry,) = scene.log.of("maintenance")
    assert (entry["from_us"], entry["until_us"]) == (round((WALL + 100) * 1e6), round((WALL + 160) * 1e6))
    assert moves(scene) == []
    scene.wait(101)
    assert moves(scene) == [(f"maintenance:{key}", "open")]
    fall(scene, talk)
    assert talk.actions(scene) == []
    assert scene.withheld[0].gate == "maintenance"
    scene.wait(60)
    assert [one["op"] for one in scene.log.of("maintenance")] == ["add", "end"]
    fall(scene, talk)
    assert talk.actions(scene) == [("restart", "program:api")]


def test_before_it_begins_healing_goes_on(scene, talk):
    accepted(scene.ask("maintenance-add", "program:api", **{"from": WALL + 100, "for": 60}))
    fall(scene, talk)
    assert talk.actions(scene) == [("restart", "program:api")]


def test_a_window_that_comes_again_opens_and_closes_by_the_calendar(scene, talk):
    """WALL is Monday 2026-09-21, 13:33:20 UTC."""
    assert dt.datetime.fromtimestamp(WALL, tz=dt.UTC).strftime("%a %H:%M") == "Mon 14:13"
    repeat = {"hours": "15:00-15:30", "days": "mon", "tz": "UTC"}
    key = accepted(scene.ask("maintenance-add", selector={"all": True}, repeat=repeat, **{"for": 8 * 86400.0}))
    assert scene.log.of("maintenance")[0]["recurrence"] == {"days": [0], "hours": [[900, 930]], "tz": "UTC"}
    scene.wait(47 * 60)
    assert moves(scene) == [(f"maintenance:{key}", "open")]
    fall(scene, talk)
    assert talk.actions(scene) == []
    scene.wait(31 * 60)
    assert moves(scene)[1:] == [(f"maintenance:{key}", "closed")]
    assert key in scene.core.desk.memory.maintenance
    fall(scene, talk)
    assert talk.actions(scene) == [("restart", "program:api")]


def test_what_happened_inside_is_judged_on_fresh_evidence_at_its_end(scene, talk):
    key = accepted(scene.ask("maintenance-add", "program:api", **{"for": HOUR}))
    fall(scene, talk)
    scene.looks.clear()
    accepted(scene.ask("maintenance-end", id=key, because="done early"))
    assert scene.looks == ["program:api"]
    assert talk.actions(scene) == []
    ended = scene.log.of("maintenance")[-1]
    assert (ended["op"], ended["owner"], ended["reason"]) == ("end", "tester", "done early")
    talk.up(scene, 1)
    scene.wait(5)
    assert talk.actions(scene) == []  # it was well again: nothing is made up for


def test_what_was_being_proved_is_proved_inside_a_window(scene, talk):
    fall(scene, talk, 1)
    assert talk.actions(scene) == [("restart", "program:api")]
    accepted(scene.ask("maintenance-add", selector={"all": True}, **{"for": HOUR}))
    scene.wait(1)
    talk.up(scene, 1)
    scene.wait(1)
    assert [one["result"] for one in scene.log.of("verdict")] == ["verified"]


def test_no_change_of_configuration_ends_a_window(scene, talk):
    accepted(scene.ask("maintenance-add", "program:api", **{"for": HOUR}))
    old = scene.core
    setup = talk.setup(talk.rule(id="another"))
    scene.core = Core(setup, old.desk.memory, now=scene.now, wall=scene.now + old.desk.wall_offset)
    scene.take(scene.core.succeed(old))
    fall(scene, talk)
    assert talk.actions(scene) == []
    assert {one.gate for one in scene.withheld} == {"maintenance"}


def test_a_window_is_in_force_after_a_restart(scene, talk):
    repeat = {"hours": "00:00-24:00", "tz": "UTC"}
    accepted(scene.ask("maintenance-add", "program:api", repeat=repeat, **{"for": 30 * 86400.0}))
    memory = Memory()
    for entry in scene.log.entries:
        memory.apply(entry)
    assert memory.to_json() == scene.core.desk.memory.to_json()
    after = talk.with_rules(
        talk.rule(), memory=Memory.from_json(json.loads(json.dumps(memory.to_json()))), at=scene.now
    )
    talk.falls(after)
    fall(after, talk)
    assert talk.actions(after) == []


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"for": 60, "until": WALL + 60},
        {"for": FOREVER + 1},
        {"until": WALL - 1},
        {"until": WALL + FOREVER + 60},
        {"until": math.nan},
        {"until": math.inf},
        {"until": "soon"},
        {"until": "2026-12-24T22:00"},
        {"until": True},
        {"until": [1]},
        {"from": WALL + YEAR + 60, "for": 60},
        {"from": WALL + 100, "until": WALL + 50},
        {"from": "x", "for": 60},
        {"from": 10**400, "for": 60},
        {"for": 60, "repeat": "nightly"},
        {"for": 60, "repeat": {"hours": "25:00-26:00"}},
        {"for": 60, "repeat": {"hours": 22}},
        {"for": 60, "repeat": {"nights": "all"}},
        {"for": 60, "repeat": {"tz": "Mars/Olympus"}},
        {"for": 60, "repeat": {"dates": "2026-02-30"}},
        {"for": YEAR + 1, "repeat": {"days": "mon"}},
    ],
)
def test_a_window_must_end_and_be_understood(scene, args):
    refused(scene.ask("maintenance-add", "program:api", **args))
    assert not scene.core.desk.memory.maintenance


def test_moments_may_be_dates_with_their_zone(scene):
    until = dt.datetime.fromtimestamp(WALL + 600, tz=dt.timezone(dt.timedelta(hours=2))).isoformat()
    accepted(scene.ask("maintenance-add", "program:api", until=until))
    assert scene.log.of("maintenance")[0]["until_us"] == round((WALL + 600) * 1e6)
