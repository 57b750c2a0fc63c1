"""A book whose ladders branch, wait, start other rules, choose several targets and are taken back."""

BOOK = """\
version: 1
rules:
  - id: ways-down
    each: {kind: program}
    when: program.up{target} == 0
    for: HOLD
    clear: program.up{target} == 1
    clear_for: 2s
    mode: auto
    priority: high
    concurrency: {max: 1, key: repairs, ttl: 15s}
    cooldown: 8s
    limits: [{max: 4, per: 1m}, {max: 8, per: 4m}]
    backoff: {initial: 2s, factor: 2, max: 16s, jitter: 20%, reset_after: 1m}
    then:
      - if: program.cpu{target} > 80%
        then:
          - restart: {}
            timeout: 6s
            verify: {when: "program.up{target} == 1", within: 4s, stable_for: 2s}
        else:
          - start: {}
            timeout: 6s
            settle: 500ms
            verify: {when: "program.up{target} == 1", within: 4s, stable_for: 2s}
            rollback:
              - restart: {}
                timeout: 6s
                verify: {when: "program.up{target} == 1", within: 4s}
        on_unknown: else
      - wait_for: {when: "program.memory{target} < 400MiB", timeout: 3s}
      - start: {}
        only_if: program.up{target} == 0
        timeout: 6s
        verify: {when: "program.up{target} == 1", within: 4s}
    on_fire: [{notify: journal}]
    on_attempt_failed: [{notify: journal}]
    on_recovered: [{notify: journal}]
    on_withheld: [{notify: journal}]
    on_exhausted: {rearm_after: 1m, steps: [{notify: journal}]}
  - id: ways-box
    each: {kind: container, state: stopped}
    when: container.up{target} == 0
    for: 3s
    samples: {bad: 2, of: 3}
    mode: auto
    concurrency: {max: 1, key: rule, on_conflict: queue}
    cooldown: 5s
    limits: [{max: 4, per: 2m, scope: target}]
    backoff: {initial: 3s, factor: 2, max: 20s, jitter: 20%, reset_after: 1m}
    then:
      - restart: {}
        timeout: 6s
    on_exhausted: {rearm_after: 1m}
  - id: herd
    target: http:front
    when: http.ok{target} == 0
    for: 4s
    mode: auto
    concurrency: {max: 1, key: repairs, on_conflict: replace}
    cooldown: 20s
    limits: [{max: 8, per: 2m, scope: rule}]
    backoff: {initial: 3s, factor: 2, max: 20s, jitter: 20%, reset_after: 1m}
    then:
      - trigger: kick
      - start: {}
        targets: {kind: program, state: stopped, max_targets: 6}
        timeout: 6s
    on_exhausted: {rearm_after: 1m}
  - id: kick
    target: http:front
    trigger: manual
    when: http.ok{target} == 0
    mode: auto
    cooldown: 20s
    limits: [{max: 2, per: 2m, scope: rule}]
    backoff: {initial: 3s, factor: 2, max: 20s, jitter: 20%, reset_after: 1m}
    then:
      - restart: {}
        target: program:p0
        timeout: 6s
        verify: {when: "http.ok{target} == 1", within: 5s}
    on_exhausted: {rearm_after: 1m}
"""
SHARED = frozenset({"ways-down", "herd"})
"""Rules whose actions share one place."""
UNDONE = {"ways-down": (3, 2)}
"""The step that is a rollback, and the one it takes back, by rule."""
