"""The kinds and their fields."""

from pathlib import Path

import pytest

from audit import canonical, entry
from audit.errors import AuditError, Malformed, UnknownVersion

EVERY_KIND = [
    "intent",
    "outcome",
    "verdict",
    "state",
    "withheld",
    "request",
    "approval",
    "maintenance",
    "mode",
    "rules",
    "lifecycle",
    "heartbeat",
    "evidence",
    "event",
    "rotate",
    "prune",
    "anchor",
    "gap",
]
SAMPLES = {str: "text", int: 7, bool: True, dict: {"a": 1}, list: ["x"]}


def full(kind: str, *, optional: bool = True) -> dict[str, object]:
    fields = (*entry.COMMON, *entry.KINDS[kind])
    made = {
        field.name: field.words[0] if field.words else SAMPLES[field.type]
        for field in fields
        if field.required or optional
    }
    return {**made, "v": 1, "kind": kind}


def test_the_kinds_are_those_of_the_specification():
    assert list(entry.KINDS) == EVERY_KIND


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_each_kind_passes_with_and_without_its_optional_fields(kind):
    for optional in (True, False):
        made = full(kind, optional=optional)
        entry.check(made)
        assert entry.parse(canonical.encode(made)) == made


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_each_required_field_is_required_and_each_type_is_checked(kind):
    made = full(kind)
    for field in (*entry.COMMON, *entry.KINDS[kind]):
        without = {name: value for name, value in made.items() if name != field.name}
        if field.required:
            with pytest.raises(Malformed):
                entry.check(without)
        else:
            entry.check(without)
        with pytest.raises(Malformed):
            entry.check({**made, field.name: 1.5})
        with pytest.raises(Malformed):
            entry.check({**made, field.name: None})


def test_a_word_outside_its_list_is_refused():
    with pytest.raises(Malformed, match="result must be one of done, "):
        entry.check({**full("outcome"), "result": "great"})


def test_true_is_not_a_number():
    with pytest.raises(Malformed, match="took_us must be an integer"):
        entry.check({**full("outcome"), "took_us": True})


@pytest.mark.parametrize(
    "change",
    [{"v": 2}, {"v": "1"}, {"kind": "late"}, {"kind": ["event"]}, {"kind": None}, {"more": 1}, {7: 1}],
)
def test_versions_kinds_and_fields_not_known_are_told_apart(change):
    with pytest.raises(UnknownVersion):
        entry.check({**full("event"), **change})


def test_what_lies_inside_an_object_is_checked_too():
    for bad in ({"data": {"x": 1.5}}, {"data": {"X": 1}}, {"ts": 2**60}, {"ts": -(2**60)}, {"data": {"x": [2**60]}}):
        with pytest.raises(Malformed):
            entry.check({**full("event"), **bad})
    entry.check({**full("event"), "ts": -5, "data": {"x": [-5, None, True]}})


def test_secrets_disappear_by_name_and_by_value():
    told = {
        "db_password": "hunter22",
        "headers": {"authorization": "Bearer abc", "accept": "x"},
        "argv": ["curl", "-u", "me:hunter22"],
        "token_count": 0,
        "deep": ({"api_key": ["a", "b"]}, 5),
    }
    assert entry.redact(told, ["hunter22", "abc"]) == {
        "db_password": "[redacted]",
        "headers": {"authorization": "[redacted]", "accept": "x"},
        "argv": ["curl", "-u", "me:[redacted]"],
        "token_count": 0,
        "deep": [{"api_key": "[redacted]"}, 5],
    }


def test_short_secrets_do_not_eat_ordinary_words():
    assert entry.redact("a cat sat", ["a", ""]) == "a cat sat"


def test_the_document_holds_the_table_of_today():
    document = Path(entry.__file__).parents[1] / "docs" / "log-format.md"
    assert entry.table() in document.read_text(encoding="utf-8"), (
        "docs/log-format.md is out of step: paste the output of "
        "python -c 'from audit import entry; print(entry.table())'"
    )


def said(check, value):
    try:
        check(value)
    except AuditError as exc:
        return type(exc), exc.message
    return None, ""


ODD = [
    None,
    True,
    1.5,
    -1,
    2**53,
    -(2**53),
    float("nan"),
    b"x",
    {"A": 1},
    {"a": 1.5},
    [None, 2**60],
    ["x"],
    "x",
    7,
    (1,),
]


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("optional", [True, False])
def test_the_quick_look_says_what_the_careful_one_says(monkeypatch, kind, optional):
    made = full(kind, optional=optional)
    assert entry._fits(made, entry._SHAPES[kind])
    others = [{**made, name: odd} for name in made.keys() - {"v", "kind"} for odd in ODD]
    others += [{**made, "of_nobody": odd} for odd in ODD]
    others += [{name: value for name, value in made.items() if name != gone} for gone in made.keys() - {"v", "kind"}]
    others += [{**one, "of_nobody": 1} for one in others]
    quick = [said(entry.check, other) for other in others]
    monkeypatch.setattr(entry, "_fits", lambda *_: False)
    for other, (because, message) in zip(others, quick, strict=True):
        careful = said(entry.check, other)
        # Of two things wrong either may be told; of one, the same.
        assert (because is None) == (careful[0] is None)
        assert "of_nobody" in other or (because, message) == careful


COMMON = {"v": 1, "node": "n", "seq": 0, "ts": 5, "mono": 6, "boot": "b"}


@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("optional", [True, False])
def test_what_is_completed_is_what_the_check_lets_pass(kind, optional):
    whole = full(kind, optional=optional)
    own = {name: value for name, value in whole.items() if name not in COMMON}
    assert entry._fits(own, entry._OWN[kind])
    assert entry.complete([own], COMMON) == [{**COMMON, **own}]
    others = [{**own, name: odd} for name in [*own, *COMMON, "of_nobody"] for odd in ODD]
    others += [{name: value for name, value in own.items() if name != gone} for gone in own]
    for other in others:
        completed = {**COMMON, **other, "v": 1, "node": "n", "seq": 0}
        expected = said(entry.check, completed)
        assert said(lambda one: entry.complete([own, one], COMMON), other) == expected
        if expected[0] is None:
            assert entry.complete([other], COMMON) == [completed]


def test_what_is_added_is_checked_too():
    for name, odd in {"node": 7, "ts": -(2**60), "mono": None, "boot": b"x", "v": 2}.items():
        with pytest.raises((Malformed, UnknownVersion)):
            entry.complete([{"kind": "heartbeat"}], {**COMMON, name: odd})
