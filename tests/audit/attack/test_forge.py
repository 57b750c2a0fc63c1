"""A thief with every key is as good as the agent: what he seals is proven, so only the rules can catch him."""

from audit import block, verifier
from audit.attack.catalog import Auditor
from audit.attack.forge import Chain


def looked_at(case, who=Auditor.ANCHOR):
    return verifier.verify(case.ask(who), clock=case.world.clock)


def test_what_is_sealed_with_every_key_is_proven(case):
    chain = case.future()
    for _ in range(3):
        chain.add(chain.entry())
    case.write(chain.rows)
    assert (looked_at(case).exit_code, looked_at(case).level) == (0, "L2")


def test_a_history_sealed_again_is_whole_in_itself(case):
    case.write(case.resealed(0))
    report = looked_at(case, Auditor.KEY)
    assert [finding.code for finding in report.findings if finding.weight == "tampered"] == []
    assert (report.exit_code, report.level) == (2, "L2")


def test_a_forged_restart_shows_as_a_break(case):
    chain = case.cut(case.above)
    row = chain.add(chain.entry())
    case.write(chain.rows)
    assert block.parse_header(row.hdr).why == "restart"
    assert looked_at(case).broken_at == [row.height]


def test_a_log_can_be_made_of_nothing(case):
    chain = Chain([], case.thief)
    for _ in range(4):
        chain.add(chain.entry())
    case.write(chain.rows)
    assert case.ask(Auditor.NOTHING).key is None
    assert looked_at(case, Auditor.NOTHING).last == 3
