"""Signed notes: what is a note, who signed it, and that nobody else is believed."""

import json
from base64 import b64decode, b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import note as notes
from audit.ed25519 import Secret
from audit.errors import AuditError, Forged, KeyRefused, Malformed, UnknownVersion, Unsigned
from audit.note import (
    MAX_SIGNATURES,
    Kind,
    Note,
    PostQuantumSigner,
    Signature,
    Signer,
    Verifier,
    open_note,
    parse_signer,
    time_of,
)
from audit.treehead import TreeHead

TEXT = "first\n\nlast\n"
HEAD = TreeHead(origin="log.example/a", size=7, root=bytes(range(32))).text()
GOOD = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer("alice.example/1", Secret.from_seed(bytes(32)))


@pytest.fixture(scope="module")
def witness() -> Signer:
    return Signer("witness.example/w", Secret.from_seed(b"w" * 32), Kind.COSIGNATURE)


def signed(text: str, *signatures: Signature) -> Note:
    return Note.parse(Note(text=text, signatures=signatures).octets())


@pytest.fixture
def published(vectors) -> dict:
    return json.loads((vectors / "signed-note" / "signed_note.json").read_text())


def _opened(case: dict) -> list[str]:
    verifiers = [Verifier.parse(vkey) for vkey in case["vkeys"]]
    return [verifier.name for verifier, _ in open_note(Note.parse(bytes.fromhex(case["msg_hex"])), verifiers).by]


REASONS = {
    "no trusted key": (Unsigned, "no key that is known"),
    "ambiguous: same key given twice for a used signature": (Forged, "two known keys"),
    "101 signatures (limit 100)": (Malformed, "more than 100"),
    "corrupted signature of a known key": ((Forged, Malformed), "verify|base64|short"),
    "no signature block: text only": (Malformed, "no signature lines"),
    "text + blank line only": (Malformed, "no signature lines"),
    "signature line without final newline": (Malformed, "no signature lines"),
    "control character 0x01": (Malformed, "control character"),
    "invalid UTF-8 0xff": (Malformed, "UTF-8"),
    "space in key name": (Malformed, "base64|not a signature line|no signature lines"),
    "unexpected line after signatures": (Malformed, "not a signature line"),
}


def test_published_notes_open_or_are_refused_for_the_stated_reason(published):
    assert len(published["open"]) >= 16
    for case in published["open"]:
        if case["wantErr"]:
            error, words = REASONS.get(case["desc"], (AuditError, ""))
            with pytest.raises(error, match=words):
                _opened(case)
        else:
            assert _opened(case) == case["verified"], case["desc"]


def test_published_bad_keys_are_refused(published):
    assert Verifier.parse(GOOD).vkey() == GOOD
    for case in published["bad_vkeys"]:
        with pytest.raises(UnknownVersion if "unknown" in case["why"] else Malformed):
            Verifier.parse(case["vkey"])


def test_no_part_of_a_key_and_no_changed_octet_is_a_key():
    parts = {GOOD[start:end] for start in range(len(GOOD)) for end in range(start, len(GOOD) + 1)} - {GOOD}
    changed = {GOOD[:at] + chr(ord(GOOD[at]) + 1) + GOOD[at + 1 :] for at in range(len(GOOD))}
    assert len(parts) + len(changed) > 2000
    for text in parts | changed:
        with pytest.raises(Malformed):
            Verifier.parse(text)


def test_signing_is_deterministic_as_published(published):
    case = published["sign"]
    signer = parse_signer(case["skey"])
    assert signer.skey() == case["skey"]
    assert Note(text=case["text"], signatures=(signer.sign(case["text"]),)).octets().decode() == case["want"]


def test_an_rfc6962_note_is_carried_and_its_kind_is_not_believed(vectors):
    file = json.loads((vectors / "signed-note" / "rfc6962_note.json").read_text())
    note = Note.parse(file["checkpoint"].encode())
    assert TreeHead.parse(note.text).size == 115474666
    assert note.octets() == file["checkpoint"].encode()
    key = b64encode(b"\x05" + b64decode(file["pk_der_b64"])).decode()
    with pytest.raises(UnknownVersion, match="unknown kind 0x05"):
        Verifier.parse(f"rome.ct.filippo.io/2024h1+{note.signatures[0].key_id.hex()}+{key}")
    with pytest.raises(Unsigned):
        open_note(note, [])


def test_the_specifications_cosignature_example_is_read():
    line = (
        "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZ"
        "qhf5nNo0xUe+mbIUBkBIfZ+qnA=="
    )
    signature = Signature.parse(line)
    assert time_of(signature.octets) == 1679315147
    assert signature.line() == line + "\n"


@given(st.binary(max_size=300))
def test_any_octets_are_refused_or_come_back_as_the_same_note(octets):
    try:
        note = Note.parse(octets)
    except Malformed:
        return
    assert octets.startswith(note.text.encode() + b"\n")
    assert Note.parse(note.octets()) == note


def test_stray_bits_in_a_signature_do_not_make_it_another(signer):
    line = signer.sign(TEXT).line()
    assert line.endswith("=\n")
    octets = (TEXT + "\n" + line).encode()
    changed = octets[:-3] + bytes([octets[-3] + 1]) + octets[-2:]
    assert Note.parse(changed) == Note.parse(octets)


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32) | st.just("\n"), max_size=60),
    st.binary(min_size=32, max_size=32),
)
def test_what_is_signed_opens_with_that_key_and_no_other(text, seed):
    signer = Signer("a", Secret.from_seed(seed))
    note = signed(text + "\n", signer.sign(text + "\n"))
    assert open_note(note, [signer.verifier]).by[0][0] == signer.verifier
    with pytest.raises(Unsigned):
        open_note(note, [Signer("a", Secret.generate()).verifier])
    with pytest.raises(Forged):
        open_note(Note(text=text + "x\n", signatures=note.signatures), [signer.verifier])


def test_the_text_ends_at_the_last_blank_line(signer):
    note = signed(TEXT + "\n\u2014 a AAAAAAA=\n", signer.sign(TEXT))
    assert note.text == TEXT + "\n\u2014 a AAAAAAA=\n"
    with pytest.raises(Forged):
        open_note(note, [signer.verifier])


def test_unknown_signatures_are_ignored_and_repeated_ones_dropped(signer):
    other = Signature(name="bob", key_id=b"1234", octets=b"whatever")
    same_name = Signature(name=signer.verifier.name, key_id=b"1234", octets=b"whatever")
    same_id = Signature(name="bob", key_id=signer.verifier.key_id, octets=b"whatever")
    good = signer.sign(TEXT)
    opened = open_note(signed(TEXT, other, same_name, good, good, same_id, other), [signer.verifier])
    assert opened.by == ((signer.verifier, good),)
    assert opened.unknown == (other, same_name, same_id)


def test_the_first_signature_of_a_key_decides(signer):
    good = signer.sign(TEXT)
    bad = Signature(name=good.name, key_id=good.key_id, octets=bytes(64))
    assert open_note(signed(TEXT, good, bad), [signer.verifier]).by == ((signer.verifier, good),)
    with pytest.raises(Forged):
        open_note(signed(TEXT, bad, good), [signer.verifier])


def test_a_bad_signature_of_a_known_key_spoils_the_note_even_beside_a_good_one(signer, witness):
    bad = Signature(name=signer.verifier.name, key_id=signer.verifier.key_id, octets=bytes(64))
    with pytest.raises(Forged, match="does not verify"):
        open_note(signed(HEAD, bad, witness.sign(HEAD, 9)), [signer.verifier, witness.verifier])
    assert open_note(signed(HEAD, bad, witness.sign(HEAD, 9)), [witness.verifier]).unknown == (bad,)


def test_sixteen_signatures_of_five_kilobytes_pass_and_too_much_is_refused(signer):
    large = tuple(Signature(name=f"k{at}", key_id=b"1234", octets=bytes(5000)) for at in range(16))
    assert len(signed(TEXT, *large).signatures) == 16
    assert len(signed(TEXT, *[signer.sign(TEXT)] * MAX_SIGNATURES).signatures) == MAX_SIGNATURES
    with pytest.raises(Malformed, match="more than 100"):
        signed(TEXT, *[signer.sign(TEXT)] * (MAX_SIGNATURES + 1))
    with pytest.raises(Malformed, match="bytes"):
        Note.parse(b"x" * 1_000_001)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n\n\n",
        b"text\n\n\xe2\x80\x94 a AAAAAAA\n",
        b"text\n\n\xe2\x80\x94 a AAAA\n",
        b"text\n\n\xe2\x80\x94 a  AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94  AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 Bad Name AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 a+b AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 a\xc2\xa0b AAAAAAA=\n",
        b"text\n\n- a AAAAAAA=\n",
        b"te\rxt\n\n\xe2\x80\x94 a AAAAAAA=\n",
        b"te\txt\n\n\xe2\x80\x94 a AAAAAAA=\n",
        b"text\r\n\r\n\xe2\x80\x94 a AAAAAAA=\r\n",
    ],
)
def test_what_is_not_quite_a_note_is_refused(octets):
    with pytest.raises(Malformed):
        Note.parse(octets)


def test_a_cosignature_says_when_and_covers_the_time(witness):
    signature = witness.sign(HEAD, 1_700_000_000)
    assert time_of(signature.octets) == 1_700_000_000
    assert witness.verifier.verify(HEAD, signature.octets)
    later = (1_700_000_001).to_bytes(8, "big") + signature.octets[8:]
    assert not witness.verifier.verify(HEAD, later)
    plain = Verifier(name=witness.verifier.name, kind=Kind.ED25519, public=witness.verifier.public)
    assert not plain.verify(f"cosignature/v1\ntime 1700000000\n{HEAD}", signature.octets)
    assert plain.key_id != witness.verifier.key_id


@pytest.mark.parametrize("octets", [b"", b"\xff" * 8, b"\xff" * 72, bytes(71), bytes(73), bytes(8)])
def test_octets_that_are_no_cosignature_are_just_not_verified(witness, octets):
    assert not witness.verifier.verify(HEAD, octets)
    assert not witness.verifier.verify("no tree head", octets)


@pytest.mark.parametrize(("text", "time"), [(TEXT, 1), (HEAD, -1), (HEAD, 2**63)])
def test_only_tree_heads_at_possible_times_are_cosigned(witness, text, time):
    with pytest.raises(Malformed):
        witness.sign(text, time)


def test_ml_dsa_cosigns_by_name_and_its_key_comes_back_from_its_text():
    signer = PostQuantumSigner.generate("pq.example")
    again = parse_signer(signer.skey())
    verifier = Verifier.parse(signer.verifier.vkey())
    assert again.verifier == verifier
    assert verifier.usable
    signature = again.sign(HEAD, 1_700_000_000)
    assert len(signature.octets) == 8 + 2420
    assert open_note(signed(HEAD, signature), [verifier]).by == ((verifier, signature),)
    renamed = Verifier(name="other.example", kind=Kind.MLDSA44, public=verifier.public)
    assert not renamed.verify(HEAD, signature.octets)
    assert not verifier.verify(HEAD.replace("7", "8"), signature.octets)
    for broken in (b"", signature.octets[:-1], signature.octets + b"x", bytes(len(signature.octets))):
        assert not verifier.verify(HEAD, broken)


def test_ml_dsa_signs_the_structure_the_specification_gives():
    message = notes._cosigned(Kind.MLDSA44, "w", 258, HEAD)
    assert message == (
        b"subtree/v1\n\0" + b"\x01w" + bytes(6) + b"\x01\x02" + b"\x0dlog.example/a" + bytes(8) + bytes(7) + b"\x07"
    ) + bytes(range(32))
    with pytest.raises(Malformed, match="too long"):
        notes._cosigned(Kind.MLDSA44, "w" * 256, 1, HEAD)


def test_an_ml_dsa_key_helps_nobody_where_the_algorithm_is_missing(monkeypatch, witness):
    signer = PostQuantumSigner.generate("pq.example")
    note = signed(HEAD, signer.sign(HEAD, 1), witness.sign(HEAD, 1))
    monkeypatch.setattr(notes, "_has_mldsa", lambda: False)
    opened = open_note(note, [signer.verifier, witness.verifier])
    assert [verifier.name for verifier, _ in opened.by] == ["witness.example/w"]
    assert opened.unknown == (note.signatures[0],)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb"])
def test_names_that_would_break_a_line_are_refused(name):
    with pytest.raises(Malformed):
        Signer(name, Secret.from_seed(bytes(32)))


@pytest.mark.parametrize(
    "change",
    [
        lambda skey: skey[:-1],
        lambda skey: skey.removeprefix("PRIVATE+"),
        lambda skey: skey.replace("alice", "alicf"),
        lambda skey: skey + "\n" + skey,
        lambda _: "",
        lambda _: "PRIVATE+KEY+a+00000000+AQ==",
        lambda _: "PRIVATE+KEY+a+00000000+BQ==",
    ],
)
def test_a_private_key_that_is_not_whole_is_refused_without_showing_it(signer, change):
    with pytest.raises(KeyRefused) as refused:
        parse_signer(change(signer.skey()))
    assert signer.skey()[-20:-4] not in str(refused.value)


def test_a_later_cosignature_of_the_same_key_takes_the_place_of_the_earlier(signer, witness):
    note = signed(HEAD, signer.sign(HEAD), witness.sign(HEAD, 1))
    more = note.plus([witness.sign(HEAD, 2)])
    assert more.signatures == (note.signatures[0], witness.sign(HEAD, 2))
