import shutil

import pytest

from healer.store import accepted


def write(folder, **texts):
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in texts.items():
        path = folder / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    return paths


def texts(state):
    return [(path.name, path.read_text(encoding="utf-8")) for path in accepted.kept(state)]


def test_nothing_accepted_is_nothing_kept(tmp_path):
    assert accepted.kept(tmp_path) == ()


def test_copies_keep_their_names_and_their_order(tmp_path):
    files = write(tmp_path / "rules", b="1", a="2")
    accepted.keep(tmp_path, files, "abc")
    shutil.rmtree(tmp_path / "rules")
    assert texts(tmp_path) == [("b.yaml", "1"), ("a.yaml", "2")]


def test_two_files_of_one_name_are_both_kept(tmp_path):
    one, two = write(tmp_path / "x", r="1"), write(tmp_path / "y", r="2")
    accepted.keep(tmp_path, one + two, "abc")
    assert texts(tmp_path) == [("r.yaml", "1"), ("r.yaml", "2")]


def test_a_later_set_replaces_the_former_and_leaves_nothing_behind(tmp_path):
    accepted.keep(tmp_path, write(tmp_path / "rules", a="1", b="1"), "first")
    accepted.keep(tmp_path, write(tmp_path / "rules", a="2"), "second")
    assert texts(tmp_path) == [("a.yaml", "2")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["accepted-rules", "accepted-rules.second", "rules"]


def test_the_same_set_again_is_kept_again(tmp_path):
    files = write(tmp_path / "rules", a="1")
    accepted.keep(tmp_path, files, "same")
    accepted.keep(tmp_path, files, "same")
    assert texts(tmp_path) == [("a.yaml", "1")]


def test_a_set_that_cannot_be_copied_leaves_the_former_in_force(tmp_path):
    files = write(tmp_path / "rules", a="1")
    accepted.keep(tmp_path, files, "first")
    with pytest.raises(OSError, match="gone"):
        accepted.keep(tmp_path, [*files, tmp_path / "gone.yaml"], "second")
    assert texts(tmp_path) == [("a.yaml", "1")]
    accepted.keep(tmp_path, files, "second")
    assert texts(tmp_path) == [("a.yaml", "1")]


def test_what_a_crash_left_half_done_is_made_anew(tmp_path):
    (tmp_path / "accepted-rules.second").mkdir()
    (tmp_path / "accepted-rules.second" / "0000").mkdir()
    (tmp_path / "accepted-rules.new").symlink_to("accepted-rules.second")
    accepted.keep(tmp_path, write(tmp_path / "rules", a="1"), "second")
    assert texts(tmp_path) == [("a.yaml", "1")]


def test_an_empty_set_is_kept_as_nothing(tmp_path):
    accepted.keep(tmp_path, [], "none")
    assert accepted.kept(tmp_path) == ()
