"""Rules that events and people start, for the simulation: added to a book that heals by itself."""

RULES = """\
  - id: told
    each: {kind: container}
    when: container.cpu{target} >= 0
    trigger:
      event: user.fix
      filter: {n: ">= 1"}
      group_by: who
      accumulate: {count: 2, within: 15s}
      once_within: 40s
    mode: auto
    cooldown: 4s
    limits: [{max: 3, per: 1m}]
    backoff: {initial: 2s, factor: 2, max: 10s, jitter: 20%, reset_after: 1m}
    then:
      - restart: {}
        timeout: 6s
        verify: {when: "container.up{target} == 1", within: 6s}
    on_exhausted: {rearm_after: 30s}
  - id: by-hand
    each: {kind: container}
    when: container.cpu{target} >= 0
    trigger: manual
    mode: auto
    cooldown: 4s
    limits: [{max: 3, per: 1m}]
    backoff: {initial: 2s, factor: 2, max: 10s, jitter: 20%, reset_after: 1m}
    then:
      - restart: {}
        timeout: 6s
        verify: {when: "container.up{target} == 1", within: 6s}
    on_exhausted: {rearm_after: 30s}
"""
TOPIC = "user.fix"
WHO = ("ann", "bob")
COUNT, WITHIN, ONCE = 2, 15.0, 40.0
"""What the rule ``told`` promises, by hand."""
FOR_GOOD = frozenset({"mode", "kill_switch", "maintenance"})
"""Gates after whose no nothing comes of a start any more."""
