"""Entries as lines."""

import json


def test_show_prints_what_was_asked_for_and_the_verdict_beside_it(run, honest, given):
    code, out, err = run("show", *given(honest), "--kind", "intent", "--target", "program:*")
    assert code == 0
    assert out.count("\n") == 4
    assert "action=restart target=program:api" in out
    assert err.startswith("PROVEN")
    code, out, _ = run("show", *given(honest), "--seq", "0")
    assert "lifecycle" in out
    assert out.count("\n") == 1
    code, out, _ = run("show", *given(honest), "--kind", "event", "--type", "test.*", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[0]["entry"]["data"]["text"] == "Grüße ✓"
    assert run("show", *given(honest), "--rule", "no*such")[1] == ""


def test_hostile_entries_neither_crash_the_display_nor_drive_the_terminal(run, forge, given):
    forge.seal([b"\xff", forge.event(1, ts=2**53 - 1), forge.entry(2, {"kind": "\x1b[2Jevent"})])
    built = forge.write()
    code, out, _ = run("show", *given(built))
    assert code == 0
    assert "\x1b" not in out
    assert out.count("\n") == 3
    assert run("show", *given(built), "--deep")[0] == 1
    assert run("stats", *given(built))[0] == 0


def test_the_first_so_many_are_printed_and_all_of_it_is_verified(run, honest, given):
    code, out, err = run("show", *given(honest), "--kind", "event", "-n", "2")
    assert (code, [line.split()[0] for line in out.splitlines()]) == (0, ["3", "4"])
    assert err == "PROVEN: L2, blocks 0 to 9\n"
    assert run("show", *given(honest), "-n", "0")[1] == ""
    honest.edit("DELETE FROM blocks WHERE height = 9")
    assert run("show", *given(honest), "-n", "1")[0] == 1
