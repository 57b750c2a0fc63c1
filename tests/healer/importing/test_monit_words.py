from hypothesis import given, settings
from hypothesis import strategies as st

from healer.importing.monit_words import blocks, said, words
from healer.yamldoc.mark import Problems

TEXT = """\
# set daemon 5
SET DAEMON 30
check process a with pidfile "/run/a b.pid"   # said aside
  start program = "/bin/a 'x y'" with timeout 60 seconds
  if not exist then restart else if succeeded then alert
  if failed port 80 then exec "/bin/x \\"y\\"" repeat every 5 cycles
  onreboot start
  not every "* 8-19 * * *"
check host start with address 127.0.0.1
  alert a@b only on {timeout, nonexist} with the mail-format { subject: it's over!
    check this }
"""


def found(text):
    problems = Problems()
    return blocks(words(text, "f", problems)), problems


def test_statements_begin_with_their_words_and_nowhere_else():
    made, problems = found(TEXT)
    assert not problems
    assert [said(one.head, 40) for one in made] == [
        "SET DAEMON 30",
        'check process a with pidfile "/run/a b.p',
        "check host start with address 127.0.0.1",
    ]
    assert [said(one)[:14] for one in made[1].body] == [
        "start program ",
        "if not exist t",
        "if failed port",
        "onreboot start",
        'not every "* 8',
    ]
    assert made[1].body[2][6].text == '/bin/x "y"'
    assert (made[1].body[2][0].mark.line, made[1].body[2][0].mark.column) == (6, 3)


def test_a_quote_that_is_never_closed_is_told_and_nothing_behind_it_is_read():
    made, problems = found('set daemon 30\ncheck file "x with path /y\n')
    assert [said(one.head) for one in made] == ["set daemon 30", "check file"]
    assert str(problems.found[0]).startswith("f:2:12: a quoted text that is never closed")


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="\"'\\#=!<>(){},; \nchecksetif then\x00é", max_size=80))
def test_no_text_breaks_it(text):
    found(text)
