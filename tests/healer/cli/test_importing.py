import json

import pytest

CONF = "[program:x]\ncommand=/bin/x\nenvironment=DB_PASSWORD=hunter22\n"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "sup.conf"
    path.write_text(CONF)
    return path


def test_without_out_nothing_is_written_and_everything_shown(healer, source, tmp_path):
    said = healer("rules", "import", str(source))
    assert said.code == 1
    assert "carried over (" in said.out
    assert "not carried over (1):" in said.out
    assert "# ---- rules.d/sup.yaml" in said.out
    assert "nothing was written" in said.err
    assert "hunter22" not in said.out + said.err
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["sup.conf"]


def test_what_is_written_passes_check(healer, source, tmp_path):
    out = tmp_path / "out"
    said = healer("rules", "import", str(source), "--out", str(out), "--mode", "suggest")
    assert said.code == 1
    assert "mode: suggest" in (out / "rules.d" / "sup.yaml").read_text()
    assert healer("check", "--config", str(out / "organism.yaml")).code == 0


def test_nothing_is_written_over_without_force(healer, source, tmp_path):
    out = tmp_path / "out"
    (out / "rules.d").mkdir(parents=True)
    mine = out / "rules.d" / "sup.yaml"
    mine.symlink_to(tmp_path / "gone")
    said = healer("rules", "import", str(source), "--out", str(out))
    assert said.code == 2
    assert "is there already; nothing was written" in said.err
    assert not (out / "organism.yaml").exists()
    assert healer("rules", "import", str(source), "--out", str(out), "--force").code == 1
    assert not mine.is_symlink()
    assert not (tmp_path / "gone").exists()


def test_json_holds_the_same_facts(healer, source):
    said = healer("rules", "import", str(source), "--json")
    facts = json.loads(said.out)
    assert {one["fate"] for one in facts["items"]} == {"carried over", "not carried over"}
    assert facts["credentials"] == ["x-db-password"]
    assert "hunter22" not in said.out


def test_what_cannot_be_read_is_told_with_place_and_hint(healer, tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text('{\n"trigger": {},}')
    said = healer("rules", "import", str(bad))
    assert said.code == 2
    assert "bad.json:2:15: expected a key in quotes" in said.err
    assert "Traceback" not in said.err


def test_a_clean_import_is_0(healer, tmp_path):
    path = tmp_path / "clean.conf"
    path.write_text("[program:x]\ncommand=/bin/x\n")
    assert healer("rules", "import", str(path)).code == 0
