"""Paths that patterns stand for, and what lies beside a path."""

from healer.drivers import names
from healer.drivers.names import beside, is_pattern, spelled_out


def test_a_pattern_is_spelled_out_through_folders_and_hidden_names_stay_hidden(tmp_path):
    for name in ("one/error.log", "two/error.log", "two/error.log.gz", ".three/error.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.removeprefix(str(tmp_path)) for path in spelled_out(f"{tmp_path}/*/error.log*", [])]
    assert found == ["/one/error.log", "/two/error.log"]
    assert list(spelled_out(f"{tmp_path}/nowhere/*.log", [])) == []
    assert is_pattern("/a/*.log")
    assert not is_pattern("/a/b.log")


def test_a_look_at_folders_has_an_end(tmp_path, monkeypatch):
    for number in range(20):
        (tmp_path / f"{number:02}.log").touch()
    monkeypatch.setattr(names, "MOST_NAMES", 5)
    assert len(list(spelled_out(f"{tmp_path}/*.log", []))) == 5


def test_what_lies_beside_begins_alike(tmp_path):
    for name in ("app.log", "app.log.1", "other.log"):
        (tmp_path / name).touch()
    assert beside(str(tmp_path), "app") == ["app.log", "app.log.1"]
    assert beside(str(tmp_path / "nowhere"), "app") == []
