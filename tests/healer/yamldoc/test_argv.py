import pytest

from healer.yamldoc import document
from healer.yamldoc.argv import Argv
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad


def read(text, shape):
    return document.text(text, shape, Problems(), name="f")


def told(text, shape):
    problems = Problems()
    with pytest.raises(Bad):
        document.text(text, shape, problems, name="f")
    return str(problems.found[0])


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("/bin/clean --all", "(write [/bin/clean, --all])"),
        ("[sleep 1000]", '(write [sleep, "1000"])'),
        ("echo 'a b'", '(write [echo, "a b"])'),
        ("a | b", '(write [/bin/sh, -c, "a | b"])'),
        ("it's", '(write ["it\'s"])'),
        ("/bin/true", "(write [/bin/true])"),
    ],
)
def test_a_command_on_one_line_is_told_word_by_word(text, hint):
    assert told(text, Argv()).endswith(hint)


def test_what_a_command_is_told_to_be_written_as_is_read():
    assert read('[sleep, "1000"]', Argv()) == ("sleep", "1000")
    assert read('[/usr/bin/env, "/opt/my app/run"]', Argv()) == ("/usr/bin/env", "/opt/my app/run")
