from hypothesis import given, settings
from hypothesis import strategies as st

from healer.importing.ini import parse
from healer.yamldoc.mark import Problems

TEXT = """\
; a comment
[program:a]
command = /bin/x --y ; the rest is said aside
environment=A="1",
  B="2"
url: http://x/#anchor
"""


def test_settings_know_their_line_and_continuations_are_joined():
    (section,) = parse(TEXT, "f", Problems())
    assert (section.kind, section.own, section.mark.line) == ("program", "a", 2)
    assert section.settings["command"].value == "/bin/x --y"
    assert section.settings["environment"].value == 'A="1",\nB="2"'
    assert section.settings["environment"].mark.line == 4
    assert section.settings["url"].value == "http://x/#anchor"


def test_what_is_no_ini_is_told_at_its_place():
    problems = Problems()
    parse("lost=1\n[a]\nx=1\nx=2\nnothing\n[a]\n", "f", problems)
    assert [(one.mark.line, one.what) for one in problems.found] == [
        (1, "a line before the first section"),
        (4, "'x' is written twice in [a]"),
        (5, "neither a section nor key=value"),
        (6, "the section [a] is written twice"),
    ]


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="[]=:;# \n\tab\ufeff\x00", max_size=80))
def test_no_text_breaks_it(text):
    parse(text, "f", Problems())
