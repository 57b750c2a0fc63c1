"""What is declared, remembered and told of a program."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers import program
from healer.drivers.program import ProgramSnapshot, Remembered
from healer.errors import ActionError
from healer.model.target import Target
from healer.model.vocabulary import METRICS


def spec(**keys):
    return program.spec_of(Target(kind="program", name="api", organ="heart", spec=keys))


def test_what_is_not_said_has_a_default():
    made = spec(command=["sleep", 1])
    assert (made.command, made.cwd, made.autostart, made.stop_signal, made.grace) == (
        ("sleep", "1"),
        "/",
        True,
        15,
        5.0,
    )


def test_a_program_without_a_command_is_refused():
    with pytest.raises(ActionError, match="no command"):
        spec()


@pytest.mark.parametrize("name", ["HUP", "SIGHUP", "hup"])
def test_signals_have_one_number_however_written(name):
    assert program.signal_number(name) == 1


def test_what_is_saved_is_recalled(tmp_path):
    told = Remembered(pid=5, ticks=6, boot="b", intent="i", restarts=1, starts=2, wanted=False, exit_code=-9)
    program.save(tmp_path / "x", told)
    assert program.recall(tmp_path / "x") == told
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5)


@given(st.dictionaries(st.sampled_from([*Remembered.__slots__, "x"]), JSON))
def test_no_content_at_all_gives_a_field_of_a_wrong_type(found):
    told = program._sane(json.loads(json.dumps(found)))
    assert type(told.pid) is type(told.ticks) is type(told.starts) is int
    assert told.pid >= 0
    assert type(told.boot) is type(told.intent) is str
    assert told.exit_code is None or -64 <= told.exit_code <= 255


def test_two_programs_never_share_a_file():
    names = ["a/b", "a_b", "a b", "../a", "é", "e", "." * 3]
    files = {program.file_name(name) for name in names}
    assert len(files) == len(names)
    assert not any("/" in file or file.startswith(".") for file in files)


def snapshot(**changed):
    base = {
        "name": "api", "pid": None, "started_at": None, "state": "stopped", "generation": "", "restarts": 0,
        "exit_code": -9, "exits_unknown": False, "wanted": True,
    }  # fmt: skip
    return ProgramSnapshot(**{**base, **changed})


def test_every_reading_is_declared_with_its_unit_and_words():
    for one in program.readings(snapshot(), 1.0, conclusive=True):
        declared = METRICS[one.metric]
        assert declared.unit is one.unit
        assert not declared.words or one.value in declared.words


def test_an_exit_code_is_told_only_of_an_end_that_was_seen():
    def told(**changed):
        return {one.metric for one in program.readings(snapshot(**changed), 1.0, conclusive=False)}

    assert "program.exit_code" in told()
    assert "program.exit_code" not in told(exit_code=None)
    assert "program.exit_code" not in told(pid=5)


@pytest.mark.parametrize(("code", "words"), [(None, "unknown"), (0, "with 0"), (-9, "Killed"), (-64, "signal 64")])
def test_an_exit_is_described(code, words):
    assert words in program.describe_exit(code)
