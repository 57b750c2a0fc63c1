import json


def ask_for_it(agent):
    core = agent.core
    core.desk.note(
        "approval", "approval.asked", id="a-1", decision="asked", who="rule:api-down", because="it should run",
        corr="api-down@program:api", rule="api-down", target="program:api", action="restart", step=0,
        until_us=core.desk.wall_us + 600_000_000, deadline_us=round((core.desk.now + 600) * 1e6),
    )  # fmt: skip


def test_nothing_waits(agent, healer):
    said = healer("approvals")
    assert said.code == 0
    assert "nothing waits for an answer" in said.err
    assert json.loads(healer("approvals", "--json").out) == {"approvals": []}


def test_what_waits_is_listed_and_shown_by_status(agent, healer):
    ask_for_it(agent)
    listed = healer("approvals")
    assert listed.code == 0
    for word in ("a-1", "restart program:api", "api-down", "10 min", "it should run"):
        assert word in listed.out
    (one,) = json.loads(healer("approvals", "--json").out)["approvals"]
    assert (one["id"], one["left"], one["step"]) == ("a-1", 600.0, 0)
    shown = healer("status")
    assert "restart of program:api waits for a yes: healer approve a-1 (10 min left)" in shown.out + shown.err


def test_a_no_is_taken_with_its_reason_and_only_once(agent, healer):
    ask_for_it(agent)
    said = healer("deny", "a-1", "--because", "not now")
    assert (said.code, said.out) == (0, "a-1 is denied: program:api is left as it is\n")
    again = healer("approve", "a-1")
    assert again.code == 1
    assert "denied by uid:" in again.err
    assert "not now" in again.err


def test_a_yes_to_what_has_moved_on_is_stale(agent, healer):
    ask_for_it(agent)
    said = healer("approve", "a-1")
    assert said.code == 1
    assert "a-1 is stale: its incident has moved on" in said.err


def test_an_answer_needs_an_id_that_exists(agent, healer):
    assert healer("approve").code == 2
    assert healer("deny", "a-9").code == 1
