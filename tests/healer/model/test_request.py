from healer.model.request import VERBS, Request


def test_a_request_is_about_the_agent_unless_it_says():
    request = Request(id="r1", verb="pause", who="uid:0", at=1.0)
    assert request.subject == "agent"
    assert dict(request.args) == {}


def test_no_verb_is_listed_twice():
    assert len(VERBS) == len(set(VERBS))
