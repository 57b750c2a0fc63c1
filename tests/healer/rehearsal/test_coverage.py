from healer.model.truth import Truth
from healer.rehearsal.coverage import Coverage, share
from healer.rules.load import load

RULES = """\
version: 1
rules:
  - id: down
    target: program:api
    when: {any: ["program.up{target} == 0", "program.memory{target} > 1GiB"]}
    then: [{restart: {}}]
  - id: other
    target: program:api
    when: program.restarts{target} > 5
    then: [{restart: {}}]
"""


def covered(play, tmp_path, keys):
    coverage = Coverage()
    coverage.take(play(keys, rules=RULES, watcher=coverage.watch))
    return coverage.of(load([tmp_path / "r.yaml"]).rules)


def test_both_ways_of_every_branch_and_the_three_claims_are_counted(play, tmp_path):
    down, other = covered(
        play,
        tmp_path,
        """
        actions: {action: restart, series: [{series: 'program.up{target="program:api"}', values: '1x9'}]}
        expect:
          - {at: 5s, rule: down, target: program:api, none: true}
          - {at: 40s, rule: down, target: program:api, action: restart}
          - {at: 40s, rule: other, target: program:api, action: restart}
        """,
    )
    assert down.claims == {"fires", "leaves alone"}
    assert down.missing == ("withholds",)
    assert [(one.source, one.missing) for one in down.branches if one.missing] == [
        ('program.up{target="program:api"} == 0 or program.memory{target="program:api"} > 1GiB', (Truth.FALSE,)),
        ('program.memory{target="program:api"} > 1GiB', (Truth.TRUE, Truth.FALSE)),
    ]
    assert (down.reached, down.goals) == (2 + 3, 3 + 6)
    # What was expected of it and was not so is no claim; what was never known has no branch.
    assert (other.claims, other.branches, other.reached, other.goals) == (frozenset(), (), 0, 5)
    assert share([down, other]) == 100 * 5 / 14
    assert share([]) == 100.0
