"""What the README shows in ```console blocks is run: a reader's first minutes must not be a lie."""

import os
import re
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
README = CHECKOUT / "README.md"


def blocks(text: str) -> list[str]:
    return re.findall(r"^```console\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """Lines after ``$``, with their continuation lines."""
    joined = re.sub(r"\s*\\\n(?:> )?\s*", " ", block)
    return [line[2:].strip() for line in joined.splitlines() if line.startswith("$ ")]


def expected(block: str) -> list[str]:
    joined = re.sub(r"\s*\\\n(?:> )?\s*", " ", block)
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.startswith(("$ ", "> ", "# "))]


def shows(line: str, said: str) -> int:
    """Where ``line`` ends in ``said``; an ellipsis stands for anything. -1 when it is not there."""
    parts = (r"\s+".join(map(re.escape, part.split())) for part in re.split(r"\.\.\.|…", line))
    found = re.search(r".*?".join(parts), said, flags=re.DOTALL)
    return found.end() if found else -1


def is_set_up(command: str) -> bool:
    """Commands that set up, install or do not end: their goals are checked, and other tests run them."""
    return bool(re.match(r"(sudo )?make |git clone |cd ", command))


def run(block: str, home: Path) -> str:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("HEALER_", "XDG_"))}
    environment = inherited | {
        "PATH": f"{CHECKOUT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "NO_COLOR": "1",
    }
    script = "\n".join(command for command in commands(block) if not is_set_up(command))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=CHECKOUT,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{script}\n--- exit {done.returncode}\n{done.stdout}"
    return done.stdout


def test_a_block_is_read_as_commands_and_what_they_say():
    block = "$ healer demo \\\n    --json\n{...}\n# a remark\n$ make test\n"
    assert commands(block) == ["healer demo --json", "make test"]
    assert expected(block) == ["{...}"]
    assert is_set_up("sudo make install")
    assert not is_set_up("healer makes")


def test_an_ellipsis_stands_for_anything_and_order_counts():
    assert shows("harmony … of 100", "harmony   97 of 100") == len("harmony   97 of 100")
    assert shows("b", "a") == -1


def test_there_is_a_readme_with_something_to_run():
    assert blocks(README.read_text(encoding="utf-8"))


@pytest.mark.parametrize("block", blocks(README.read_text(encoding="utf-8")) if README.exists() else [])
def test_what_the_readme_shows_is_so(block, tmp_path):
    for command in commands(block):
        if goal := re.match(r"(?:sudo )?make (\w+)", command):
            subprocess.run(["make", "-n", goal[1]], cwd=CHECKOUT, check=True, capture_output=True)
    said = run(block, tmp_path)
    for line in expected(block):
        end = shows(line, said)
        assert end >= 0, f"the README shows {line!r}; the machine said:\n{said}"
        said = said[end:]
