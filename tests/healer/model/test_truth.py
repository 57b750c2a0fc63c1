from healer.model.truth import Truth


def test_there_are_three_truths():
    assert [truth.value for truth in Truth] == ["true", "false", "unknown"]
