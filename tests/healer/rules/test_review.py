import json

from healer.config import load_config
from healer.rules.load import load
from healer.rules.review import findings


def config():
    return load_config({"rules": {"files": [], "default_mode": "auto"}}, environ={})


def test_findings_come_in_the_order_of_the_files(tmp_path):
    for name in ("2.yaml", "1.yaml"):
        bad = {"id": f"r{name[0]}", "when": f"harmony > 10{name[0]}", "then": [{"notify": "nobody"}]}
        (tmp_path / name).write_text(json.dumps({"version": 1, "rules": [bad]}))
    found = findings(load([tmp_path / "2.yaml", tmp_path / "1.yaml"]), config())
    assert [one.rule for one in found] == ["r2", "r2", "r1", "r1"]
    assert str(found[0]).startswith(str(tmp_path / "2.yaml") + ":1:")
