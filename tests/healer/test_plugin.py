"""The page on extending holds what its files hold, and an agent with the three of them heals a spool."""

import queue
import re
import shutil
from pathlib import Path

import pytest

from healer import plugged
from healer.app import Agent
from healer.cli.main import main
from healer.config import plugins

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLES = CHECKOUT / "docs" / "examples" / "plugins"
PAGE = (CHECKOUT / "docs" / "extending.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def nothing_is_left():
    yield
    plugins.keep_only(())
    plugged.FAILED.clear()


def test_the_page_shows_the_files_as_they_are():
    shown = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert shown == [(EXAMPLES / name).read_text() for name in ("spool.py", "set_aside.py", "crowded.py")]


def test_the_three_together_heal_a_spool(tmp_path, capsys):
    folder, spool = tmp_path / "plugins", tmp_path / "mail-out"
    shutil.copytree(EXAMPLES, folder)
    spool.mkdir()
    for number in range(25):
        (spool / f"{number}").touch()
    organism, rules, suite = re.findall(r"```yaml\n(version: 1.*?)```", PAGE, re.DOTALL)
    (tmp_path / "rules.yaml").write_text(rules)
    text = organism.replace("/etc/healer/plugins", str(folder)).replace("/var/spool/mail-out", str(spool))
    (tmp_path / "organism.yaml").write_text(text + f"rules: {{files: [{tmp_path / 'rules.yaml'}]}}\n")
    (tmp_path / "suite.yaml").write_text(suite.replace("../spool-rules.yaml", "rules.yaml"))
    with pytest.raises(SystemExit) as ended:
        main(["test", str(tmp_path / "suite.yaml"), "--config", str(tmp_path / "organism.yaml")])
    assert ended.value.code == 0, capsys.readouterr()
    verdicts = queue.SimpleQueue()
    with Agent(tmp_path / "organism.yaml", state_dir=tmp_path / "state", environ={}) as agent:
        agent.on("action.verdict", lambda _, data: verdicts.put(data["result"]))
        assert verdicts.get(timeout=20) == "verified"
    assert len(list(spool.iterdir())) == 15
    assert len(list((tmp_path / "mail-out.aside").iterdir())) == 10
