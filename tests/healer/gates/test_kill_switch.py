from healer.gates import kill_switch


def test_the_switch_stops_everything_and_says_how_it_is_taken_away(question, memory):
    assert kill_switch.ask(question()) is None
    memory.kill_switch = True
    for action in ("restart", "notify", "start"):
        assert "resume-healing" in kill_switch.ask(question(action=action, disruptive=False)).because
