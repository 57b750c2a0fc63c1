"""Policies: who counts, how many of them, and every mistake at its line."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import policy
from audit.ed25519 import Secret
from audit.errors import Malformed
from audit.note import Kind, Verifier


def verifier(name: str, kind: Kind = Kind.COSIGNATURE, key: str = "") -> Verifier:
    seed = (key or name).encode().ljust(32, b".")
    return Verifier(name=name, kind=kind, public=Secret.from_seed(seed).public)


LOG = verifier("log.example/a", Kind.ED25519)
W = [verifier(f"witness.example/{letter}") for letter in "abcdef"]
TWO_LEVELS = f"""# An example, as in the specification.
log {LOG.vkey()}

witness X1 {W[0].vkey()}
witness X2\t{W[1].vkey()} https://x2.example/witness
  witness  X3 {W[2].vkey()}\t
group X-witnesses 2 X1 X2 X3

witness Y1 {W[3].vkey()}
witness Y2 {W[4].vkey()}
witness Y3 {W[5].vkey()}
\t# whoever runs Y
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def test_two_levels_of_groups_count_as_the_specification_says():
    read = policy.parse(TWO_LEVELS)
    names = [witness.name for witness in read.witnesses]
    assert names == ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
    for size in range(7):
        for chosen in itertools.combinations(names, size):
            xs, ys = sum(name[0] == "X" for name in chosen), sum(name[0] == "Y" for name in chosen)
            assert read.satisfied(chosen) is (xs >= 2 and ys >= 1)
    assert not read.asks_for_nobody
    assert read.witnesses[1].url == "https://x2.example/witness"
    assert read.logs == (policy.Log(verifier=LOG),)


def test_only_witnesses_can_cosign_whatever_they_are_called():
    read = policy.parse(TWO_LEVELS)
    assert not read.satisfied({"X-and-Y", "X-witnesses", "Y-witnesses", "none", "", "log.example/a"})
    assert not read.satisfied({verifier.name for verifier in W})
    assert read.names_of([W[0], W[4], LOG, verifier("stranger")]) == {"X1", "Y2"}
    assert read.names_of([verifier("witness.example/a", key="another")]) == set()
    assert read.verifiers_of("log.example/a") == [LOG]
    assert read.verifiers_of("log.example/b") == []


def test_one_witness_can_be_the_quorum_and_so_can_none():
    assert policy.parse(f"witness w {W[0].vkey()}\nquorum w\n").satisfied({"w"})
    assert not policy.parse(f"witness w {W[0].vkey()}\nquorum w\n").satisfied(())
    nobody = policy.parse("quorum none\n")
    assert nobody.satisfied(())
    assert nobody.asks_for_nobody


def test_names_are_octets_and_two_spellings_are_two_names():
    keys = [vkey.vkey().encode() for vkey in W]
    text = b"witness K %b\nwitness \xe2\x84\xaa %b\nwitness \xff %b\nquorum \xff\n" % tuple(keys[:3])
    read = policy.parse(text)
    assert [witness.name for witness in read.witnesses] == ["K", "\u212a", "\udcff"]
    assert read.satisfied({"\udcff"})
    assert not read.satisfied({"K", "\u212a"})
    # A blank of Unicode's is part of a name, not between two.
    assert policy.parse(f"witness a\u00a0b {W[0].vkey()}\nquorum a\u00a0b\n").witnesses[0].name == "a\u00a0b"


def test_thirty_two_of_each_and_more_are_read():
    lines = [f"log {verifier(f'log{n}', Kind.ED25519).vkey()}" for n in range(40)]
    lines += [f"witness w{n} {verifier(f'w{n}').vkey()}" for n in range(40)]
    lines += [f"group g{n} 1 w{n}" for n in range(40)]
    lines += ["group most 39 " + " ".join(f"g{n}" for n in range(40)), "quorum most"]
    read = policy.parse("\n".join([*lines, ""]))
    assert read.satisfied({f"w{n}" for n in range(39)})
    assert not read.satisfied({f"w{n}" for n in range(38)})


A, B, C = (f"witness {name} {key.vkey()}\n" for name, key in zip("abc", W, strict=False))


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("", "no quorum line"),
        (A, "no quorum line"),
        ("quorum none", "line 1: the last line has no newline"),
        (A + "quorum a\nquorum a\n", "line 3: the quorum has been given before"),
        (A + "quorum none\nquorum a\n", "line 3: the quorum"),
        (A + "quorum b\n", "line 2: 'b' is not defined"),
        ("quorum a\n" + A, "line 1: 'a' is not defined"),
        ("quorum\n", "line 1: 'quorum' has 0 words"),
        ("quorum none none\n", "line 1: 'quorum' has 2 words"),
        ("Quorum none\n", "line 1: 'Quorum' is not known"),
        ("quorum none # all is well\n", "line 1: 'quorum' has 5 words"),
        ("quorum\u00a0none\n", "line 1: .* is not known"),
        ("quorum none\r\n", "line 1: it holds the control character"),
        ("# \x00\nquorum none\n", "line 1: it holds the control"),
        ("quorum none\n# \x7f\n", "line 2: it holds the control"),
        (A + A + "quorum a\n", "line 2: this is the key of the witness 'a' too"),
        (A + f"witness a {W[1].vkey()}\nquorum a\n", "line 2: 'a' has been defined in line 1"),
        (A + f"witness b {verifier('other', key=W[0].name).vkey()}\nquorum a\n", "line 2: this is the key of"),
        (f"witness none {W[0].vkey()}\nquorum none\n", "line 1: nobody can be called 'none'"),
        (f"witness a {W[0].vkey()} http://x y\nquorum a\n", "line 1: 'witness' has 4 words"),
        (f"witness a {LOG.vkey()}\nquorum a\n", "line 1: this is the key of a log"),
        (f"log {W[0].vkey()}\nquorum none\n", "line 1: this is the key of a witness"),
        (f"log {LOG.vkey()}\nlog {LOG.vkey()}\nquorum none\n", "line 2: this log's key has been given"),
        ("log nonsense\nquorum none\n", "line 1: a key is written"),
        (f"log {LOG.vkey()[:-4]}AAAA\nquorum none\n", "line 1: the id"),
        (A + "group g\nquorum a\n", "line 2: 'group' has 1 words"),
        (A + "group g 1\nquorum a\n", "line 2: 'group' has 2 words"),
        (A + "group g 2 a\nquorum g\n", "line 2: '2' of 1 cannot"),
        (A + "group g 0 a\nquorum g\n", "line 2: '0' of 1 cannot"),
        (A + "group g -1 a\nquorum g\n", "line 2: '-1' of 1 cannot"),
        (A + "group g 01 a\nquorum g\n", "line 2: '01' of 1 cannot"),
        (A + "group g \u0661 a\nquorum g\n", "line 2: '\u0661' of 1 cannot"),
        (A + "group g 99999999999999999999 a\nquorum g\n", "line 2: .* of 1 cannot"),
        (A + "group g some a\nquorum g\n", "line 2: 'some' of 1 cannot"),
        (A + "group g any a a\nquorum g\n", "line 2: 'a' is a member already, since line 2"),
        (A + B + C + "group g any a b\ngroup h any b c\nquorum h\n", "line 5: 'b' is a member already, since line 4"),
        (A + "group g any g\nquorum g\n", "line 2: 'g' is not defined"),
        (A + "group a any a\nquorum a\n", "line 2: 'a' has been defined"),
        (A + "group none any a\nquorum none\n", "line 2: nobody can be called"),
        (A + "group g any none\nquorum g\n", "line 2: 'none' is not defined"),
        ("#\n" * 2000, "more than 1000 lines"),
        ("#" * 1_000_001, "more than 1000000 bytes"),
    ],
)
def test_every_mistake_is_told_at_its_line(text, because):
    with pytest.raises(Malformed, match=because):
        policy.parse(text)
    with pytest.raises(Malformed, match=because):
        policy.parse(text.encode())


def test_a_mistake_comes_with_a_way_out():
    with pytest.raises(Malformed) as caught:
        policy.parse("wittness a b\n")
    assert caught.value.hint == "a line begins with log, witness, group, quorum or #"
    with pytest.raises(Malformed) as caught:
        policy.parse(A + "group g 2 a\nquorum g\n")
    assert caught.value.hint == "write group <name> <all|any|number> <name>..."


@given(st.binary(max_size=80) | st.text("quorm none\t\n#gaplwits12", max_size=60).map(str.encode))
def test_noise_is_refused_with_a_sentence(octets):
    try:
        read = policy.parse(octets)
    except Malformed:
        return
    else:
        assert read.asks_for_nobody
