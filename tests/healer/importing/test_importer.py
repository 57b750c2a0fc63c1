import pytest

from healer.errors import ConfigError
from healer.importing.importer import bring

GOOD = "[program:x]\ncommand=/bin/x\n"


def test_one_broken_file_does_not_hide_the_others(tmp_path):
    (tmp_path / "a.conf").write_text(GOOD)
    (tmp_path / "b.json").write_text("{")
    found = bring(tmp_path)
    assert [made.body["name"] for made in found.harvest.programs] == ["x"]
    assert "b.json:1:2: the file ends too early" in found.problems[0]


def test_where_nothing_can_be_read_it_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no file to import"):
        bring(tmp_path)
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ConfigError, match="ends too early"):
        bring(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        bring(tmp_path / "gone.json")


def test_the_documents_are_named_after_the_source(tmp_path):
    (tmp_path / "My Conf.conf").write_text(GOOD)
    found = bring(tmp_path / "My Conf.conf", mode="suggest")
    assert set(found.documents) == {"organism.yaml", "rules.d/my-conf.yaml"}
    assert "mode: suggest" in found.documents["rules.d/my-conf.yaml"]
    assert not found.proof.problems
