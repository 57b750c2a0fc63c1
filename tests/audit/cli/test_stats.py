"""Counting."""

import json


def test_stats_counts_kinds(run, honest, given):
    code, out, _ = run("stats", *given(honest), "--json")
    told = json.loads(out)
    assert (code, told["kinds"]["intent"], told["kinds"]["outcome"]) == (0, 4, 3)
    code, out, err = run("stats", *given(honest), "--kind", "intent")
    assert out.split() == ["4", "intent"]
    assert err.startswith("PROVEN")
