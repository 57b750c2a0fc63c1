"""One value, one sequence of octets; everything else is refused."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit import canonical
from audit.errors import Malformed

keys = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4))
objects = st.dictionaries(keys, values, max_size=6)


@given(objects)
def test_octets_are_those_of_rfc8785_and_read_back_the_same(value):
    octets = canonical.encode(value)
    assert octets == rfc8785.dumps(value)
    assert canonical.decode(octets) == value


@given(objects)
def test_standard_library_and_orjson_write_the_same_octets(value):
    assert canonical._plain_dumps(value) == canonical._dumps(value)


@given(st.lists(objects, max_size=4), st.integers(1, 40), st.data())
def test_many_at_once_get_the_octets_they_have_alone(some, times, data):
    many = some * times
    for forged in data.draw(st.lists(st.sampled_from(["},1e-300,{", ",1e-300,", "1e-300", ',1e-300,"']), max_size=2)):
        many.insert(data.draw(st.integers(0, len(many))), {"text": forged, "texts": [forged, {"a": forged}, forged]})
    assert canonical.encode_all(many) == [canonical._plain_dumps(one) for one in many]


def test_one_bad_text_among_many_is_refused():
    with pytest.raises(Malformed, match="canonical JSON"):
        canonical.encode_all([{"a": "good"}] * 100 + [{"a": "\ud800"}])


@given(objects, st.data())
def test_any_other_spelling_of_the_same_value_is_refused(value, data):
    octets = canonical.encode(value)
    spellings = [
        json.dumps(value).encode(),
        json.dumps(value, indent=1).encode(),
        b" " + octets,
        octets + b"\n",
        b"\xef\xbb\xbf" + octets,
        octets.decode().encode("utf-16"),
    ]
    for other in spellings:
        if other != octets:
            with pytest.raises(Malformed):
                canonical.decode(other)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_with_a_sentence_or_read_exactly(octets):
    try:
        value = canonical.decode(octets)
    except Malformed:
        return
    else:
        assert canonical.encode(value) == octets


@pytest.mark.parametrize(
    ("octets", "because"),
    [
        (b'{"a":1,"a":1}', "canonical form"),
        (b'{"b":1,"a":1}', "canonical form"),
        (b'{"a":1.0}', "float"),
        (b'{"a":1e3}', "float"),
        (b'{"a":NaN}', ""),
        (b'{"a":-0}', ""),
        (b'{"a":01}', "not JSON"),
        (b'{"A":1}', "[a-z]"),
        ('{"ä":1}'.encode(), "[a-z]"),
        (b'{"":1}', "[a-z]"),
        (b'{"a":9007199254740992}', "2^53-1"),
        (b'{"a":-9007199254740992}', "2^53-1"),
        (b'{"a":%s}' % (b"9" * 5000), ""),
        (b'{"a":"\\ud800"}', ""),
        (b'{"a":"\\u0041"}', "canonical form"),
        (b'{"a":"\xff"}', "not JSON"),
        (b"[1]", "not a JSON object"),
        (b"", "not JSON"),
        (b"null", "not a JSON object"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "nested deeper"),
        (b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", ""),
        (b'{"a":"' + b"x" * 65_535 + b'"}', "more than"),
    ],
)
@pytest.mark.parametrize("loads", ["_loads", "_plain_loads"])
def test_what_lies_outside_the_profile_is_refused(octets, because, loads, monkeypatch):
    monkeypatch.setattr(canonical, "_loads", getattr(canonical, loads))
    monkeypatch.setattr(canonical, "_dumps", canonical._plain_dumps)
    with pytest.raises(Malformed, match=re.escape(because) or "."):
        canonical.decode(octets)


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1.5},
        {"a": float("nan")},
        {"a": [{"b": [0.1]}]},
        {"a": b"bytes"},
        {"a": {1}},
        {"a": object()},
        {1: "a"},
        {"a": {"B": 1}},
        {"a\n": 1},
        {"a": 2**53},
        {"a": "\ud800"},
        {"a": "x" * 70_000},
    ],
)
def test_what_cannot_be_written_is_refused(value):
    with pytest.raises(Malformed):
        canonical.encode(value)


def test_an_object_that_holds_itself_is_refused():
    loop: dict[str, object] = {}
    loop["a"] = loop
    with pytest.raises(Malformed, match="nested deeper"):
        canonical.encode(loop)


def test_sixteen_levels_pass_and_seventeen_do_not():
    value: object = 1
    for _ in range(16):
        value = {"a": value}
    assert canonical.decode(canonical.encode(value)) == value
    with pytest.raises(Malformed):
        canonical.encode({"a": value})


def test_the_greatest_integers_pass():
    value = {"most": canonical.MAX_INTEGER, "least": -canonical.MAX_INTEGER, "yes": True, "tuple": (1, -2)}
    assert canonical.encode(value) == (b'{"least":-9007199254740991,"most":9007199254740991,"tuple":[1,-2],"yes":true}')


def test_the_memory_of_good_keys_is_bounded(monkeypatch):
    monkeypatch.setattr(canonical, "_good_keys", set())
    monkeypatch.setattr(canonical, "_KEYS_REMEMBERED", 2)
    canonical.check({"a": 1, "b": 1, "c": 1})
    assert len(canonical._good_keys) == 2


def test_published_inputs_outside_the_profile_are_refused(vectors):
    paths = sorted((vectors / "rfc8785-cyberphone" / "testdata" / "output").glob("*.json"))
    assert len(paths) == 6
    for path in paths:
        with pytest.raises(Malformed, match=r"form \[a-z\]|not a JSON object|no single spelling"):
            canonical.decode(path.read_bytes())


def test_texts_of_the_published_vectors_come_out_as_published(vectors):
    folder = vectors / "rfc8785-cyberphone" / "testdata"
    text = json.loads((folder / "input" / "unicode.json").read_text("utf-8"))
    value = {"text": text["Unnormalized Unicode"]}
    published = bytes.fromhex((folder / "outhex" / "unicode.txt").read_text().replace("\n", " "))
    assert canonical.encode(value)[len(b'{"text":') :] == published[len('{"Unnormalized Unicode":') :]


def test_it_works_without_site_packages(tmp_path):
    root = Path(canonical.__file__).parents[1]
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from audit import canonical;"
        "assert 'orjson' not in sys.modules;"
        "print(canonical.decode(canonical.encode({'a': 'ü'})))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(root)], capture_output=True, text=True, check=True, env={}
    )
    assert "ü" in done.stdout or "\\xfc" in done.stdout
