"""The witness's commands are found among the auditor's."""

import pytest


def test_both_are_there(run, tmp_path, capsys):
    code, out, _ = run("witness", "key", tmp_path / "key", "w.example/1")
    assert (code, out.startswith("w.example/1+")) == (0, True)
    code, _, err = run("witness", "serve", "--state", tmp_path)
    assert (code, err.count("\n")) == (2, 1)


def test_one_that_is_none_gets_one_line(run, capsys):
    for words in (["witness"], ["witness", "nonsense"]):
        with pytest.raises(SystemExit) as ended:
            run(*words)
        assert ended.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
