"""The verdict, as text, as JSON and as exit status."""

import json

import pytest

from audit import cli


def test_verify_prints_the_verdict_first_and_exits_with_it(run, honest, given):
    code, out, _ = run("verify", *given(honest), "--deep")
    assert code == 0
    assert out.startswith("PROVEN: L2, blocks 0 to 9\n")
    assert "This does not prove:" in out
    honest.edit("DELETE FROM blocks WHERE height = 4")
    code, out, _ = run("verify", *given(honest))
    assert (code, out.split(":")[0]) == (1, "TAMPERED")
    code, out, _ = run("verify", honest.db, "--no-memory")
    assert (code, out.split(":")[0]) == (1, "TAMPERED")
    code, out, _ = run("verify", honest.folder / "nothing")
    assert (code, out.split(":")[0]) == (2, "NOT PROVEN")


def test_verify_in_json(run, honest, given):
    code, out, _ = run("verify", *given(honest), "--json")
    told = json.loads(out)
    assert (code, told["exit"], told["verdict"], told["independent"]) == (0, 0, "proven", True)


def test_the_second_run_remembers(run, honest, tmp_path, given):
    for memory in ([], ["--memory", tmp_path / "mine"]):
        assert run("verify", honest.db, "--key", honest.key, *memory)[0] == 2
        assert run("verify", *given(honest), *memory)[0] == 0
        assert run("verify", honest.db, "--key", honest.key, *memory)[0] == 0
        assert run("verify", honest.db, "--key", honest.key, "--incremental", *memory)[0] == 0
    assert run("verify", honest.db, "--key", honest.key, "--no-memory")[0] == 2


def test_max_age_and_since_read_units_and_refuse_nonsense(run, honest, capsys, given):
    assert run("verify", *given(honest), "--max-age", "1m")[0] == 2
    assert run("verify", *given(honest), "--max-age", "99999d")[0] == 0
    assert run("verify", *given(honest), "--since", "3", "--expect-origin", "x/1")[0] == 1
    for wrong in (["--max-age", "soon"], ["--since", "-1"], ["--min-level", "L9"], ["--nonsense"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(["verify", str(honest.db), *wrong])
        assert caught.value.code == 2
    assert "not a time" in capsys.readouterr().err
