import os
import time

import pytest

from healer.core.core import Core
from healer.errors import ConfigError

CALENDAR = """\
version: 1
rules:
  - id: nightly
    trigger: {schedule: "30 2 * * *"}
    active: {hours: "02:00-04:00"}
    when: cpu.used < 50%
    then: [{notify: {message: now}}]
"""
EVENTS = """\
version: 1
rules:
  - id: heard
    trigger: {event: "user.*", filter: {name: eve}}
    when: cpu.used < 50%
    then: [{notify: {message: heard}}]
"""
IDLE = "series: [{series: cpu.used, values: '10%x5000'}]"


def test_what_a_cure_changes_is_seen_from_its_end_on(found):
    assert found("""
        actions: {action: restart, takes: 7s, series: [{series: 'program.up{target="program:api"}', values: '1x50'}]}
        expect:
          - {at: 30s, rule: down, target: program:api, action: restart, state: acting, step: 1}
          - {at: 60s, rule: down, target: program:api, action: restart, times: 1, verdict: verified, state: inactive}
    """) == ["", ""]


def test_actions_end_in_turn_and_the_last_again_and_again(found):
    assert found("""
        actions:
          - {action: restart, outcome: failed}
          - {action: restart, outcome: failed-permanent}
          - {action: notify, outcome: done}
        expect:
          - {at: 30s, rule: down, target: program:api, verdict: failed-transient}
          - {at: 10m, rule: down, target: program:api, verdict: failed-permanent, published: "action.*"}
    """) == ["", ""]


def test_an_effect_that_takes_longer_than_its_step_fails_at_its_timeout(found):
    assert found("""
        actions: {action: restart, takes: 5m}
        expect:
          - {at: 38s, rule: down, target: program:api, state: acting}
          - {at: 45s, rule: down, target: program:api, verdict: failed-transient, because: not done within 20 s}
    """) == ["", ""]


def test_a_restart_of_the_agent_forgets_nothing_that_was_sealed(found):
    assert found("""
        outcome: failed-permanent
        happens: {at: 3m, restart: 10s}
        expect:
          - {at: 2m, rule: down, target: program:api, action: restart, state: given-up}
          - {at: 10m, rule: down, target: program:api, action: restart, times: 1, state: given-up}
    """) == ["", ""]


def test_an_action_cut_short_by_a_restart_of_the_agent_is_interrupted_not_done(found):
    assert found("""
        actions: {action: restart, takes: 15s}
        happens: {at: 28s, restart: 0s}
        expect: {at: 1m, rule: down, target: program:api, verdict: interrupted}
    """) == [""]


def test_people_can_ask_and_be_refused(found):
    assert found("""
        happens:
          - {at: 1s, ask: pause, subject: program:api}
          - {at: 2s, ask: maintenance-end, args: {id: m-9}, refused: true}
          - {at: 3s, ask: resume, subject: agent}
        expect: {at: 1m, rule: down, target: program:api, withheld: mode, because: lowered}
    """) == ["the request was refused: agent is not paused", ""]


def test_a_person_says_yes_to_a_rule_by_its_name(found):
    assert found("""
        mode: approve
        happens:
          - {at: 10s, ask: approve, subject: down, refused: true}
          - {at: 1m, ask: approve, subject: down, args: {because: "tried it by hand"}}
        expect:
          - {at: 59s, rule: down, target: program:api, withheld: approval, published: "approval.*"}
          - {at: 62s, rule: down, target: program:api, action: restart}
    """) == ["", ""]


def test_events_start_rules_that_wait_for_them(found):
    assert found(
        """
        happens:
          - {at: 6s, event: user.login, data: {name: eve}}
          - {at: 7s, event: user.login, data: {name: bob}}
        expect:
          - {at: 5s, rule: heard, none: true}
          - {at: 8s, rule: heard, action: notify, times: 1, published: user.login}
        """,
        rules=EVENTS,
        series=IDLE,
    ) == ["", ""]


@pytest.mark.parametrize(("tz", "at"), [("UTC", "35m"), ("Europe/Warsaw", "35m"), ("Asia/Kathmandu", "35m")])
def test_the_calendar_and_the_hours_follow_the_zone_of_the_test(found, tz, at):
    keys = f"""
        start: "2026-06-01 02:00"
        tz: {tz}
        expect:
          - {{at: 29m, rule: nightly, none: true}}
          - {{at: {at}, rule: nightly, action: notify, times: 1}}
    """
    assert found(keys, rules=CALENDAR, series=IDLE) == ["", ""]


def test_the_zone_of_the_machine_is_put_back(found):
    before, name = os.environ.get("TZ"), time.tzname
    found("""
        tz: Asia/Tokyo
        expect: {at: 1s, rule: down, target: program:api, none: true}
    """)
    assert (os.environ.get("TZ"), time.tzname) == (before, name)


def test_a_wall_clock_that_jumps_opens_the_hours(found):
    assert found(
        """
        start: "2026-06-01 01:00"
        happens:
          - {at: 20s, jump: +1h}
          - {at: 30s, ask: trigger, subject: nightly}
        expect:
          - {at: 2m, rule: nightly, action: notify, times: 1}
        """,
        rules=CALENDAR,
        series=IDLE,
    ) == [""]


def test_after_a_jump_the_calendar_goes_by_the_new_time(found):
    assert found(
        """
        start: "2026-06-01 01:00"
        happens: {at: 1m, jump: +1h}
        expect:
          - {at: 30m, rule: nightly, action: notify, times: 1}
          - {at: 2h, rule: nightly, action: notify, times: 1}
        """,
        rules=CALENDAR,
        series=IDLE,
    ) == ["", ""]


def test_days_take_a_second_and_maintenance_lasts_it_out(found):
    assert found("""
        maintenance: true
        actions: {action: restart, series: [{series: 'program.up{target="program:api"}', values: '1x5'}]}
        expect: {at: 10d, rule: down, target: program:api, withheld: maintenance, truth: unknown}
    """) == [""]


def test_what_is_seen_after_an_action_is_seen_also_where_nothing_was_left_to_see(found):
    assert found(
        """
        actions:
          action: restart
          takes: 19s
          series: [{series: 'program.up{target="program:api"}', values: '1x20'}]
        expect: {at: 90s, rule: down, target: program:api, verdict: verified}
    """,
        series="series: [{series: 'program.up{target=\"program:api\"}', values: '1x2 0x2'}]",
    ) == [""]


def test_everything_that_happens_is_watched(play):
    seen = []
    play("expect: {at: 10s, rule: down, target: program:api, none: true}", watcher=seen.append)
    assert len(seen) == 3  # the looks at 0, 5 and 10 seconds
    assert isinstance(seen[0], Core)


def test_the_story_has_every_second_and_every_reason(play):
    one = play("""
        maintenance: true
        expect: {at: 40s, rule: down, target: program:api, withheld: maintenance}
    """)
    said = [f"{at:g} {what}" for at, what in one.story]
    assert '15 seen program.up{target="program:api"}: 0' in said
    assert any("withheld restart of program:api for down by maintenance" in text for text in said)
    assert one.ok


def test_a_test_of_a_rule_that_is_not_there_is_a_mistake(play):
    with pytest.raises(ConfigError, match="no rule 'downs' in rule_files"):
        play("expect: {at: 10s, rule: downs, target: program:api, none: true}")
