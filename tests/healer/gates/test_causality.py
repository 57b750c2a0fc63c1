import pytest

from healer.gates import causality


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_three_deep_may_act(question, depth):
    assert causality.ask(question(chain=tuple("abc"[:depth]))) is None


def test_deeper_is_refused_with_its_chain(question):
    refused = causality.ask(question(chain=("a@x", "b@y", "c@z", "d@w")))
    assert refused.because.startswith("4 incidents of the agent's own doing led here, at most 3 may: ")
    assert refused.because.endswith("a@x -> b@y -> c@z -> d@w -> r@unit:nginx")
    assert refused.proposal
