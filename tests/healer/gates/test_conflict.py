from healer.gates import conflict


def test_one_actor_per_target_and_the_holder_is_named(question, memory, intent):
    memory.intents["i-7"] = intent(id="i-7", rule="disk")
    assert conflict.ask(question()).because == "unit:nginx is held by rule disk (restart, intent i-7)"
    memory.intents["i-7"] = intent(id="i-7", rule="", request="r1")
    assert "held by request r1" in conflict.ask(question()).because


def test_a_target_is_held_until_the_verdict(question, memory, intent):
    memory.intents["i-7"] = intent(id="i-7", ended=999.0)
    assert conflict.ask(question()) is not None
    del memory.intents["i-7"]
    assert conflict.ask(question()) is None


def test_other_targets_and_the_intent_itself_are_no_conflict(question, memory, intent):
    memory.intents["i-7"] = intent("unit:apache", id="i-7")
    assert conflict.ask(question()) is None
    memory.intents["i-8"] = intent(id="i-8")
    assert conflict.ask(question(intent="i-8")) is None
    assert conflict.ask(question(intent="i-7")) is not None
