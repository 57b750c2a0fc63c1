"""Rules that turn a knob while a program is pressed, for the simulation: added to a book that heals by itself."""

RULES = """\
  - id: tight
    each: {kind: program}
    when: program.cpu{target} > 80%
    for: HOLD
    clear: program.cpu{target} < 50%
    clear_for: 2s
    mode: auto
    cooldown: 3s
    limits: [{max: 6, per: 1m}]
    backoff: {initial: 1s, factor: 2, max: 8s, jitter: 20%, reset_after: 1m}
    then:
      - adjust: {cpu: "+20%"}
        timeout: 6s
        verify: {when: "program.cpu{target} < 50%", within: 4s}
      - adjust: {cpu: "+40%"}
        timeout: 6s
        verify: {when: "program.cpu{target} < 50%", within: 4s}
    on_exhausted: {rearm_after: 30s}
"""
WIDE = """\
  - id: wide
    each: {kind: program}
    when: program.cpu{target} > 90%
    for: 1s
    clear: program.cpu{target} < 50%
    clear_for: 6s
    mode: auto
    cooldown: 3s
    limits: [{max: 6, per: 1m}]
    backoff: {initial: 1s, factor: 2, max: 8s, jitter: 20%, reset_after: 1m}
    then:
      - adjust: {cpu: "+20%"}
        timeout: 6s
        verify: {when: "program.cpu{target} < 50%", within: 4s}
    on_exhausted: {rearm_after: 30s}
"""
"""In one of the two books only: a reload ends its incidents in the middle of whatever they do."""
TURNED = 1000
"""How far a person turns a knob: nothing that rules do comes near it."""
