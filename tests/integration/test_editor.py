"""What an editor does with our schemas: yaml-language-server itself, asked over its own protocol.

Installed by npm from the locked list in ``editor/`` into the cache folder; some seconds, once.
"""

import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from healer.cli import init, schema
from healer.cli.schema import MODELINE
from healer.config import load_config
from healer.errors import ConfigError
from healer.model.verbs import VERBS
from healer.rules.load import load
from healer.rules.suite import load_suite

CHECKOUT = Path(__file__).resolve().parents[2]
LISTS = Path(__file__).parent / "editor"
PATIENCE = 120


@pytest.fixture(scope="session")
def language_server(real, cache):
    """The installed server, as an argument vector."""
    real("node", "npm")
    digest = hashlib.sha256((LISTS / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = cache / f"yaml-language-server-{digest}"
    if not folder.exists():
        made = Path(tempfile.mkdtemp(dir=cache))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(LISTS / name, made)
        argv = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(argv, cwd=made, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode != 0:
            shutil.rmtree(made)
            because = f"npm cannot install yaml-language-server here: {done.stderr.strip()[-300:]}"
            (pytest.fail if os.environ.get("HEALER_REQUIRE_REAL") == "1" else pytest.skip)(because)
        try:
            made.rename(folder)
        except OSError:  # another run was first
            shutil.rmtree(made)
    return [str(folder / "node_modules" / ".bin" / "yaml-language-server"), "--stdio"]


class Editor:
    """As much of an editor as there is on the wire (Language Server Protocol 3.17)."""

    def __init__(self, argv: list[str], folder: Path) -> None:
        self.folder = folder
        self._server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)
        self._ids = itertools.count(1)
        self._diagnostics: dict[str, list[dict]] = {}
        documents = {"completion": {}, "hover": {"contentFormat": ["plaintext"]}, "publishDiagnostics": {}}
        able = {"textDocument": documents, "workspace": {"configuration": True}}
        self.ask("initialize", processId=None, rootUri=folder.as_uri(), capabilities=able)
        self._send(method="initialized", params={})

    def close(self) -> None:
        self._server.kill()
        self._server.communicate()

    def _send(self, **message: object) -> None:
        octets = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(octets), octets))
        self._server.stdin.flush()

    def _hear(self) -> dict:
        size = 0
        while line := self._server.stdout.readline().strip():
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        assert size, "the server ended"
        return json.loads(self._server.stdout.read(size))

    def _take(self, message: dict) -> None:
        """What the server says, or asks, by itself."""
        if message.get("method") == "textDocument/publishDiagnostics":
            self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "id" in message and message.get("method") == "workspace/configuration":
            self._send(id=message["id"], result=[{} for _ in message["params"]["items"]])
        elif "id" in message and "method" in message:
            self._send(id=message["id"], result=None)

    def ask(self, method: str, **params: object) -> object:
        number = next(self._ids)
        self._send(id=number, method=method, params=params)
        while (message := self._hear()).get("id") != number or "method" in message:
            self._take(message)
        assert "error" not in message, message
        return message["result"]

    def open(self, path: Path) -> None:
        """Show a file."""
        text = path.read_text(encoding="utf-8")
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self._send(method="textDocument/didOpen", params={"textDocument": document})

    def diagnostics(self, path: Path) -> list[tuple[int, int, str]]:
        """(line, column, message) of everything wrong with an open file, both from 1, in the order of the text."""
        uri = path.as_uri()
        while uri not in self._diagnostics:
            self._take(self._hear())
        starts = [(one["range"]["start"], one["message"]) for one in self._diagnostics.pop(uri)]
        return sorted((start["line"] + 1, start["character"] + 1, message) for start, message in starts)

    def at(self, method: str, path: Path, line: int, column: int) -> object:
        where = {"line": line - 1, "character": column - 1}
        return self.ask(f"textDocument/{method}", textDocument={"uri": path.as_uri()}, position=where)


@pytest.fixture(scope="module")
def editor(language_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("editor")
    schema.write(folder / "schemas")
    made = Editor(language_server, folder)
    yield made
    made.close()


@pytest.fixture
def write(editor, request):
    """Write a file with its modeline; ``|`` in the text is where the cursor is."""
    names = itertools.count()

    def written(text: str, kind: str = "rules") -> tuple[Path, int, int]:
        path = editor.folder / f"{request.node.name.partition('[')[0]}-{hash(text) & 0xFFFF}-{next(names)}.yaml"
        whole = f"{MODELINE}schemas/{kind}.json\n{text}"
        before, _, after = whole.partition("|")
        path.write_text(before + after, encoding="utf-8")
        return path, before.count("\n") + 1, len(before) - before.rfind("\n")

    return written


@pytest.fixture
def offered(editor, write):
    """The keys or words an editor offers at the cursor."""

    def labels(text: str, kind: str = "rules") -> set[str]:
        path, line, column = write(text, kind)
        editor.open(path)
        return {one["label"].strip('"') for one in editor.at("completion", path, line, column)["items"]}

    return labels


RULE = """\
version: 1
rules:
  - id: down
    target: program:api
    when: program.up{target} == 0
"""


def test_what_ships_is_right_in_an_editor(editor):
    shipped = [CHECKOUT / "organism.yaml", *(CHECKOUT / "rules").glob("*.yaml"), *(CHECKOUT / "rules/tests").glob("*")]
    for path in shipped:
        assert path.read_text(encoding="utf-8").startswith(MODELINE), path
        editor.open(path)
    assert {path.name: said for path in shipped if (said := editor.diagnostics(path))} == {}


def test_what_init_writes_is_right_in_an_editor(editor, tmp_path):
    init.write(tmp_path, [])
    for path in (tmp_path / "organism.yaml", *(tmp_path / "rules.d").rglob("*.yaml")):
        editor.open(path)
        assert editor.diagnostics(path) == []


def test_a_rule_is_completed_with_the_keys_of_a_rule_that_are_not_there_yet(offered):
    keys = offered(RULE + "    |\n")
    assert {"each", "for", "cooldown", "limits", "then", "on_exhausted", "mode"} <= keys
    assert keys & {"id", "when", "restart", "verify", "version", "url"} == set()


def test_a_step_is_completed_with_verbs_and_after_a_verb_with_none(offered):
    assert set(VERBS) <= offered(RULE + "    then:\n      - |\n")
    keys = offered(RULE + "    then:\n      - restart: {}\n        |\n")
    assert {"verify", "timeout", "approve"} <= keys
    assert not keys & set(VERBS)


@pytest.mark.parametrize("verb", ["restart", "run", "call", "notify", "wait", "signal"])
def test_only_the_parameters_of_the_verb_are_offered(offered, verb):
    keys = offered(RULE + f"    then:\n      - {verb}:\n          |\n")
    others = {name for other in VERBS for name in VERBS[other].params} - set(VERBS[verb].params)
    assert set(VERBS[verb].params) <= keys
    assert not keys & others


def test_a_condition_is_completed_with_its_forms_and_a_trigger_with_what_can_start_a_rule(offered):
    forms = offered("version: 1\nrules:\n  - id: down\n    when:\n      |\n")
    assert {"all", "any", "none", "not", "xor", "exactly", "at_least", "weighted"} <= forms
    assert not forms & {"id", "restart", "verify"}
    assert {"schedule", "event"} <= offered(RULE + "    trigger:\n      |\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("    mode: |\n", {"off", "observe", "suggest", "approve", "auto"}),
        ("    on_unknown: |\n", {"hold", "notify"}),
        ("    enabled: |\n", {"true", "false"}),
        ("    organ: |\n", {"heart", "brain", "nervous"}),
    ],
)
def test_words_are_offered_where_only_some_will_do(offered, text, words):
    assert words <= offered(RULE + text)


def test_a_target_is_completed_with_the_keys_of_its_kind(offered):
    keys = offered("version: 1\ntargets:\n  - kind: http\n    |\n", "config")
    assert {"url", "name", "every", "organ"} <= keys
    assert not keys & {"unit", "container", "pidfile", "host", "port", "command"}
    assert "path" in offered("version: 1\ntargets:\n  - kind: file\n    |\n", "config")


def test_a_test_is_completed_with_what_it_can_say(offered):
    keys = offered("version: 1\nrule_files: r.yaml\ntests:\n  - name: it\n    |\n", "tests")
    assert {"series", "expect", "actions", "happens", "start", "tz", "maintenance"} <= keys
    keys = offered(
        "version: 1\nrule_files: r\ntests:\n  - name: it\n    expect:\n      - rule: a\n        |\n", "tests"
    )
    assert {"at", "state", "action", "withheld", "because", "step", "none"} <= keys


def test_a_key_is_explained_where_the_mouse_is(editor, write):
    path, line, column = write(RULE + "    cool|down: 5m\n    then:\n      - notify: journal\n")
    editor.open(path)
    said = editor.at("hover", path, line, column)["contents"]
    assert "from the end of an action to the next" in (said if isinstance(said, str) else said["value"])


READERS = {
    "rules": lambda path: load([path]),
    "config": lambda path: load_config(path, environ={}),
    "tests": load_suite,
}
MISTAKES = [
    ("rules", RULE + "    |fro: 3s\n    then: [{notify: journal}]\n"),
    ("rules", RULE + "    mode: |aut\n    then: [{notify: journal}]\n"),
    ("rules", RULE + "    for: |20\n    then: [{notify: journal}]\n"),
    ("rules", RULE + "    cooldown: |5 minutes\n    then: [{notify: journal}]\n"),
    ("rules", RULE + "    then:\n      - restart: {}\n        |verfy: {when: a == 1}\n"),
    ("rules", RULE + "    then:\n      - notify: {|chanel: x}\n"),
    ("rules", RULE + "    limits: [{max: |none, per: 1h}]\n    then: [{notify: journal}]\n"),
    ("rules", "version: |2\nrules: [{id: a, when: cpu.used > 90%, then: [{notify: journal}]}]\n"),
    ("config", "version: 1\ntargets:\n  - kind: http\n    name: web\n    |uri: http://127.0.0.1/\n"),
    ("config", "version: 1\n|modes: auto\n"),
    ("tests", "version: 1\nrule_files: r\ntests:\n  - name: it\n    outcome: |fail\n    series: []\n    expect: []\n"),
]


@pytest.mark.parametrize(("kind", "text"), MISTAKES, ids=[f"{kind}-{n}" for n, (kind, _) in enumerate(MISTAKES)])
def test_the_editor_and_the_loader_see_a_mistake_on_the_same_line(editor, write, kind, text):
    path, line, _ = write(text, kind)
    editor.open(path)
    assert line in {found for found, _, _ in editor.diagnostics(path)}
    with pytest.raises(ConfigError) as error:
        READERS[kind](path)
    assert line in {int(found[1]) for one in error.value.problems if (found := re.search(r"\.yaml:(\d+):", one))}
