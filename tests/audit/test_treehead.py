"""Tree heads: one text for one value."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import Malformed
from audit.treehead import MAX_SIZE, TreeHead, parse_hash

ROOT = base64.b64encode(bytes(range(32))).decode()
LINES = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(
    origin=LINES, size=st.integers(0, MAX_SIZE), root=st.binary(min_size=32, max_size=32), extensions=st.lists(LINES)
)
def test_what_is_written_is_read_back(origin, size, root, extensions):
    head = TreeHead(origin=origin, size=size, root=root, extensions=tuple(extensions))
    assert TreeHead.parse(head.text()) == head


@given(st.text(max_size=200))
def test_any_text_is_either_refused_or_written_back_the_same(text):
    try:
        head = TreeHead.parse(text)
    except Malformed:
        return
    assert head.text() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        f"log\n5\n{ROOT}",
        f"log\n5\n{ROOT}\n\n",
        f"log\n5\n{ROOT}\n\nx\n",
        f"\n5\n{ROOT}\n",
        f"log\n05\n{ROOT}\n",
        f"log\n+5\n{ROOT}\n",
        f"log\n-1\n{ROOT}\n",
        f"log\n5 \n{ROOT}\n",
        f"log\n\u0665\n{ROOT}\n",
        f"log\n1_0\n{ROOT}\n",
        f"log\n\n{ROOT}\n",
        f"log\n{2**63}\n{ROOT}\n",
        f"log\n{'9' * 5000}\n{ROOT}\n",
        f"log\n5\n{ROOT[:-1]}\n",
        f"log\n5\n {ROOT}\n",
        f"log\n5\n{ROOT[:-2]}9=\n",
        f"log\n5\n{base64.b64encode(bytes(31)).decode()}\n",
        f"log\n5\n{'_' * 42}8=\n",
        f"log\n5\n{ROOT[:-1]}\u00bd\n",
        f"lo\rg\n5\n{ROOT}\n",
    ],
)
def test_other_spellings_are_refused(text):
    with pytest.raises(Malformed):
        TreeHead.parse(text)


@pytest.mark.parametrize("change", [{"origin": ""}, {"origin": "a\nb"}, {"size": -1}, {"size": 2**63}, {"root": b"x"}])
def test_values_without_a_text_are_refused(change):
    with pytest.raises(Malformed):
        TreeHead(**({"origin": "log", "size": 1, "root": bytes(32)} | change))


def test_base64_with_stray_bits_is_refused():
    assert parse_hash(ROOT) == bytes(range(32))
    with pytest.raises(Malformed, match="stray bits"):
        parse_hash(ROOT[:-2] + "9=")
