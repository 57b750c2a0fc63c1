"""The last entries, and those that come."""


def test_tail_prints_the_last(run, honest, given):
    code, out, _ = run("tail", *given(honest), "-n", "2")
    assert code == 0
    assert out.count("\n") == 2
    assert "left-open" in out.splitlines()[1]
    assert run("tail", *given(honest), "-n", "0")[1] == ""
    assert run("tail", *given(honest), "--kind", "verdict")[1].count("\n") == 1
