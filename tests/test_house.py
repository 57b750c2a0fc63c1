"""The house keeps its own rules: what prose about layout promises, these tests hold."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
MODULES = sorted(path for room in ("healer/**", "audit/**", "verifiers") for path in CHECKOUT.glob(f"{room}/*.py"))
FIXED_BY_THE_USER = {
    "psutil": "psutil",
    "docker": "docker",
    "apscheduler": "apscheduler",
    "pyyaml": "yaml",
    "httpx": "httpx",
    "cryptography": "cryptography",
    "sqlalchemy": "sqlalchemy",
}
GENERATES_CODE = {"healer/rules/compile.py"}
RUNS_PLUGINS = {"healer/config/plugins.py"}
DECLARATIONS = {Path("healer/model/kinds"), Path("healer/config/kinds")}
"""Rules become functions there, out of its own words only: its test shows that a user's text is never among them."""
NAMES = [str(path.relative_to(CHECKOUT)) for path in MODULES]


def tree(name: str) -> ast.Module:
    return ast.parse((CHECKOUT / name).read_text(encoding="utf-8"), filename=name)


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    # A file deleted and not yet committed is listed all the same.
    return [CHECKOUT / name for name in listed.stdout.split("\0") if name and (CHECKOUT / name).is_file()]


def is_only_docstring(module: ast.Module) -> bool:
    return all(isinstance(node, ast.Expr) for node in module.body)


def is_declaration(module: ast.Module) -> bool:
    return not any(isinstance(node, ast.If | ast.For | ast.While | ast.Try) for node in ast.walk(module))


def imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_module_opens_with_one_sentence(name):
    said = ast.get_docstring(tree(name))
    assert said, f"{name} does not say what it is"
    first = said.split("\n\n")[0]
    assert first.endswith("."), f"{name}: its first paragraph is not a sentence: {first!r}"


@pytest.mark.parametrize("name", NAMES)
def test_every_module_has_its_mirror_among_the_tests(name):
    path = Path(name)
    if path.name in {"__init__.py", "__main__.py"}:
        # Packages that hold nothing but their sentence, and two-line doors, are tested through their neighbours.
        if is_only_docstring(tree(name)) or path.name == "__main__.py":
            return
        mirror = Path("tests") / path.parent.parent / f"test_{path.parent.name}.py"
        inside = Path("tests") / path.parent / "test_init.py"
        assert (CHECKOUT / mirror).exists() or (CHECKOUT / inside).exists(), f"{mirror} is missing"
        return
    if path.is_relative_to("healer/migrations"):
        # Alembic loads its environment and the steps by their files: all are run, both ways, in one place.
        path = Path("healer/migrations/run.py")
    if path.parent in DECLARATIONS:
        # Declarations without code of their own: all of them are put to the same questions, in one place.
        path = path.with_name("catalog.py") if is_declaration(tree(name)) else path
    mirror = Path("tests") / path.parent / f"test_{path.name}"
    assert (CHECKOUT / mirror).exists(), f"{mirror} is missing"


@pytest.mark.parametrize("name", NAMES)
def test_no_shell_and_no_eval_in_the_product(name):
    for node in ast.walk(tree(name)):
        if not isinstance(node, ast.Call):
            continue
        shell = [word for word in node.keywords if word.arg == "shell"]
        assert not shell, f"{name}:{node.lineno} asks for a shell"
        called = ast.unparse(node.func)
        banned = {"eval", "exec", "compile", "os.system", "os.popen", "__import__"}
        if name in GENERATES_CODE:
            banned -= {"exec"}
        if name in RUNS_PLUGINS:
            banned -= {"exec", "compile"}
        assert called not in banned, f"{name}:{node.lineno} calls {called}"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_past_400_lines_says_why_in_its_first_line(name):
    lines = (CHECKOUT / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400 or re.search(r"\b(because|so that|why)\b", lines[0]), f"{name}: {len(lines)} lines"


def test_nothing_is_left_for_later():
    unfinished = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    found = [name for name in NAMES if unfinished.search((CHECKOUT / name).read_text(encoding="utf-8"))]
    assert not found


def test_every_ignored_type_error_names_its_code_and_its_reason():
    bare = re.compile(r"#\s*type:\s*ignore(?!\[[\w, -]+\]\s+#\s*\S)")
    found = [name for name in NAMES if bare.search((CHECKOUT / name).read_text(encoding="utf-8"))]
    assert not found


def test_tests_are_no_packages():
    # --import-mode=importlib: with an __init__.py two test files of one name would shadow each other.
    assert not list((CHECKOUT / "tests").rglob("__init__.py"))


def test_no_tracked_file_knows_a_machine():
    # The look-behind lets /proc/PID/root/... and /opt/healer/... pass: they are not where this checkout lies.
    own = re.escape(f"{CHECKOUT}/".encode())
    machine = re.compile(rb"(?<![\w.}>])(?:" + own + rb"|/home/\w+/|/Users/\w+/|/root/\w)")
    found = [str(path.relative_to(CHECKOUT)) for path in tracked() if machine.search(path.read_bytes())]
    assert not [name for name in found if name != "tests/test_house.py"]


def test_every_dependency_the_user_fixed_is_declared_and_imported():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[<>=!~\[; ]", text)[0].lower() for text in project["dependencies"]}
    used = {module for name in NAMES for module in imported(tree(name))}
    assert set(FIXED_BY_THE_USER) <= declared
    assert set(FIXED_BY_THE_USER.values()) <= used
    assert any(text.startswith("pytest>") for text in project["optional-dependencies"]["dev"])


def test_no_dependency_is_declared_and_left_unused():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[<>=!~\[; ]", text)[0].lower() for text in project["dependencies"]}
    used = {module.lower() for name in NAMES for module in imported(tree(name))}
    # uvicorn and the drivers may be imported by name at run time; an import statement is asked for all the same.
    modules = FIXED_BY_THE_USER | {
        "google-re2": "re2", "dnspython": "dns", "dbus-fast": "dbus_fast", "prometheus-client": "prometheus_client",
    }  # fmt: skip
    assert {modules.get(name, name) for name in declared} <= used


def test_locks_hold_hashes_and_no_addresses():
    for lock in sorted((CHECKOUT / "requirements").glob("*.txt")):
        text = lock.read_text(encoding="utf-8")
        pinned = re.findall(r"^[a-z0-9.-]+==", text, flags=re.MULTILINE)
        assert "://" not in text, f"{lock.name} records an address"
        assert "--index" not in text
        assert pinned, f"{lock.name} pins nothing"
        assert len(re.findall(r"==[^\n]*\\\n\s+--hash=sha256:", text)) == len(pinned), f"{lock.name} lacks a hash"


def test_locks_cover_what_is_declared():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    run = (CHECKOUT / "requirements" / "run.txt").read_text(encoding="utf-8")
    dev = (CHECKOUT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    for text in project["dependencies"]:
        name = re.split(r"[<>=!~\[; ]", text)[0].lower()
        assert f"\n{name}==" in run
        assert f"\n{name}==" in dev
    for text in project["optional-dependencies"]["dev"]:
        name = re.split(r"[<>=!~\[; ]", text)[0].lower()
        assert f"\n{name}==" in dev


def test_make_without_a_goal_explains_itself():
    said = subprocess.run(["make", "--silent"], cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout
    for goal in ("run", "demo", "test", "bench", "lint", "build", "torture", "install", "uninstall"):
        assert f"make {goal} " in said


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("healer.app", {"docker", "httpx", "rich", "click", "psycopg", "h11", "cryptography"}),
        ("audit.cli", {"sqlalchemy", "cryptography", "orjson", "psycopg", "h11", "asyncio", "ssl"}),
        ("audit.writer", {"psycopg", "h11"}),
        ("healer.cli.main", {"asyncio", "cryptography", "docker", "httpx", "psutil", "rich", "sqlalchemy", "yaml"}),
        ("audit.verifier", {"sqlalchemy", "cryptography", "psycopg", "h11", "asyncio", "ssl"}),
    ],
)
def test_what_costs_memory_is_imported_when_it_is_used(module, unwanted):
    probe = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    said = subprocess.run([sys.executable, "-c", probe], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    assert not unwanted & set(said.stdout.split())
