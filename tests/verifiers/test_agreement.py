"""Three verifiers that share no code say the same of random logs, honest and mutilated."""

import contextlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit.cli import main as ours

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
STEP = 60
COUNT = int(os.environ.get("HEALER_AGREEMENT", "10000" if os.environ.get("HEALER_TORTURE_STEP") == "1" else "100"))
FROM = int(os.environ.get("HEALER_AGREEMENT_FROM", "0"))


def load(name: str, file: Path):
    """A module by its file: neither tests nor verifiers are packages."""
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


load("forge", HERE / "forge.py")
cases = load("cases", HERE / "cases.py")
alone = load("audit_verify", CHECKOUT / "verifiers" / "audit_verify.py")


@pytest.fixture(scope="module")
def browser():
    """The browser's verifier, in one long-lived Node process; ask it with the words of a command line."""
    node = shutil.which("node")
    if node is None:
        if os.environ.get("HEALER_REQUIRE_REAL") == "1":
            pytest.fail("node is missing: apt-get install nodejs")
        pytest.skip("node is not installed: the browser's verifier cannot be compared")
    with subprocess.Popen(
        [node, str(HERE / "verify.mjs"), "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(words):
            process.stdin.write(json.dumps(words) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield ask
        process.stdin.close()


def audit_says(words):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = ours(["verify", *words])
    try:
        report = json.loads(said.getvalue())
    except ValueError:
        return code, "none", said.getvalue()
    level = report["level"] or "none"
    return code, level, report.get("summary")


def alone_says(words):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code, report = alone.Audit([word for word in words if word != "--no-memory"]).run()
    return code, report.get("level") or "none", report.get("findings")


def browser_says(ask, words):
    report = ask(words)
    because = [report.get("error"), report.get("reasons"), report.get("findings", [])[:4]]
    return report["exit"], report.get("level") or "none", because


@pytest.mark.parametrize("start", range(FROM, FROM + COUNT, STEP))
def test_three_verifiers_say_the_same(start, browser, tmp_path):
    for seed in range(start, min(start + STEP, FROM + COUNT)):
        made = cases.case(seed)
        folder = tmp_path / str(seed)
        words = made.write(folder)
        said = {"audit": audit_says(words), "browser": browser_says(browser, words)}
        # The single file never reads entries, and always checks roots.
        plain = [word for word in words if word not in {"--deep", "--flat"}]
        beside = {"audit": said["audit"] if plain == words else audit_says(plain), "alone": alone_says(plain)}
        same = all(len({answer[:2] for answer in answers.values()}) == 1 for answers in (said, beside))
        said |= {f"{name}, plain": answer for name, answer in beside.items()}
        assert same, f"seed {seed}, {made.lies}, {words[3:]}: {json.dumps(said, indent=1)}"
        if not made.lies and "somebody-else" not in words:
            assert said["audit"][0] != 1, f"seed {seed}: an honest log is called tampered: {said}"
        shutil.rmtree(folder)
