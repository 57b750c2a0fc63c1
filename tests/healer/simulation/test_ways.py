from healer.rules.plan import Plan
from healer.rules.rule import HOOKS, steps_of
from healer.simulation.rulebooks import rules
from healer.simulation.ways import SHARED, UNDONE


def test_the_book_has_every_form_a_step_can_have():
    every = [step for rule in rules("ways").rules for step in steps_of(rule)]
    assert {"if", "wait_for", "trigger"} <= {step.action for step in every}
    assert any(step.rollback for step in every)
    assert any(step.targets for step in every)
    assert any(step.only_if for step in every)
    assert {name for rule in rules("ways").rules for name, steps in rule.hooks.items() if steps} == set(HOOKS)


def test_what_the_laws_were_told_of_the_book_is_what_the_loader_reads_in_it():
    held = {rule.id: rule for rule in rules("ways").rules}
    assert {name for name, rule in held.items() if rule.concurrency and rule.concurrency.key == "repairs"} == SHARED
    for name, (back, step) in UNDONE.items():
        plan = Plan.of(held[name])
        assert [number for number, rung in plan.rungs.items() if rung.undoes == step] == [back]
