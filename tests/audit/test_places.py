"""Places: a state folder holds what its list says, under these names and no others."""

from audit import commitments, keys, places, ratchet
from audit.reader import FILE_NAME
from audit.writer import Writer


def test_a_state_folder_holds_nothing_that_is_not_on_the_list(tmp_path, event):
    state = tmp_path / "s"
    with Writer.open(state, node="n", reserve_bytes=4096) as writer:
        writer.append(event())
    known = {places.ANCHOR, places.CHECKPOINT, places.LOCK, places.TREE, places.KEYS, FILE_NAME, "audit.reserve"}
    assert {path.name for path in state.iterdir()} <= known | {commitments.FILE_NAME}
    assert known - {path.name for path in state.iterdir()} == set()
    held = {path.name for path in (state / places.KEYS).iterdir()}
    assert held == {keys.PRIVATE, places.SEAL_PUB, "note.key", places.NOTE_PUB, ratchet.FILE_NAME}


def test_no_two_names_are_the_same():
    names = [value for name, value in vars(places).items() if name.isupper()]
    assert len(names) == len(set(names))
