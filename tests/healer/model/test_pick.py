"""A series as people write it: read whole, or refused with what to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.errors import HealerError
from healer.model.pick import Pick, parse


@pytest.mark.parametrize(
    ("text", "pick"),
    [
        ("node_load1", Pick(metric="node_load1")),
        (' up{job="a"} ', Pick(metric="up", labels=(("job", "a"),))),
        ('a:b{x="1", y="2",}', Pick(metric="a:b", labels=(("x", "1"), ("y", "2")))),
        ('a{x="say \\"hi\\" \\\\ and\\nmore, }"}', Pick(metric="a", labels=(("x", 'say "hi" \\ and\nmore, }'),))),
        ('sum(a{x="1"})', Pick(metric="a", labels=(("x", "1"),), combine="sum")),
        ("count( a )", Pick(metric="a", combine="count")),
        ("a{}", Pick(metric="a")),
    ],
)
def test_a_series_is_read(text, pick):
    assert parse(text) == pick


@pytest.mark.parametrize(
    "text",
    ["", "1a", "a{", "a}", "a{x}", "a{x=1}", "a{x='1'}", "rate(a)", "sum(a", "a)", "sum a", "a b", 'a{x="1" y="2"}'],
)
def test_what_names_no_series_is_refused(text):
    with pytest.raises(HealerError):
        parse(text)


@given(st.text(max_size=60))
def test_no_text_ends_in_anything_but_a_pick_or_a_refusal(text):
    try:
        parse(text)
    except HealerError:
        return


def test_all_its_labels_must_be_there_and_others_may():
    pick = parse('a{x="1",y="2"}')
    assert pick.takes({"x": "1", "y": "2", "z": "3"})
    assert not pick.takes({"x": "1"})
    assert not pick.takes({"x": "1", "y": "3"})


def test_several_are_one_only_where_it_is_said_how():
    assert parse("a").of([2.0]) == 2.0
    assert "2 series match" in parse("a").of([2.0, 3.0])
    assert [parse(f"{how}(a)").of([2.0, 4.0]) for how in ("sum", "min", "max", "avg", "count")] == [6, 2, 4, 3, 2]


@pytest.mark.parametrize("text", ["a", "sum(a)", "count(a)"])
def test_of_nothing_nothing_is_made(text):
    assert parse(text).of([]) == "there is no such series"
