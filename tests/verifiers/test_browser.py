"""The browser's verifier: its modules in Node, its page in a real Chromium."""

import base64
import http.server
import importlib.util
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
SHIM = HERE / "verify.mjs"


def load(name: str, file: Path):
    """A module by its file: neither tests nor verifiers are packages."""
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


forge = sys.modules.get("forge") or load("forge", HERE / "forge.py")
build = load("browser_build", CHECKOUT / "verifiers" / "browser" / "build.py")
chromium = load("chromium", HERE / "chromium.py")


def program(name: str) -> str:
    """Where a command is; a test that needs it fails in CI and is skipped elsewhere when it is missing."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("HEALER_REQUIRE_REAL") == "1":
            pytest.fail(f"{name} is missing")
        pytest.skip(f"{name} is not installed")
    return found


@pytest.fixture(scope="module")
def node():
    return program("node")


@pytest.fixture(scope="module")
def ask(node):
    """The verifier in one long-lived Node process: a dict for the words of a command line."""
    with subprocess.Popen([node, SHIM, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def one(*words, **options):
            process.stdin.write(json.dumps([str(word) for word in words]) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield one
        process.stdin.close()


def history(blocks: int = 6) -> forge.Log:
    log = forge.Log(origin="host-1/healer", chance=random.Random(7), key=forge.key(0))
    for _ in range(blocks):
        log.seal(5)
    return log


@pytest.fixture
def proof(tmp_path):
    """Files of an honest log: (log, words that verify it)."""
    log = history()
    forge.write(tmp_path / "audit.db", log.rows)
    (tmp_path / "key.pem").write_bytes(forge.key(0).pem)
    (tmp_path / "anchor").write_bytes(log.anchor())
    return log, [tmp_path / "audit.db", "--key", tmp_path / "key.pem", "--anchor", tmp_path / "anchor"]


# ------------------------------------------------------------------------------------------------- the modules


def test_published_vectors_pass_and_bad_ones_are_refused(node):
    folder = Path(os.environ.get("HEALER_VECTORS", CHECKOUT.parent / "shared" / "vectors"))
    if not folder.is_dir():
        if os.environ.get("HEALER_REQUIRE_REAL") == "1":
            pytest.fail("the folder of test vectors is missing")
        pytest.skip("the folder of test vectors is missing")
    done = subprocess.run([node, HERE / "vectors.mjs", folder], check=True, capture_output=True, text=True, timeout=120)
    results = json.loads(done.stdout)
    assert len(results) >= 10
    assert all(one["seen"] and not one["wrong"] for one in results.values()), results


def test_command_line_says_the_exit_code(node, proof):
    _, words = proof
    done = subprocess.run([node, SHIM, *words, "--json"], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["level"] == "L2"


def test_log_whose_newest_blocks_lie_in_the_wal_alone(tmp_path, ask, proof):
    log, words = proof
    live = sqlite3.connect(tmp_path / "live.db", isolation_level=None)
    live.execute("PRAGMA journal_mode = WAL")
    live.execute("PRAGMA wal_autocheckpoint = 0")
    live.execute(forge.SCHEMA)
    for row in log.rows:
        live.execute("INSERT INTO blocks VALUES (?,?,?,?,?,?,?)", row.values())
        if row.height == 2:
            live.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    live.execute("BEGIN")
    live.execute("DELETE FROM blocks")
    for suffix in ("", "-wal"):
        shutil.copy(tmp_path / f"live.db{suffix}", tmp_path / f"copy.db{suffix}")
    live.close()
    whole = ask(tmp_path / "copy.db", *words[1:])
    assert (whole["verdict"], whole["blocks"]) == ("proven", 6), whole
    wal = (tmp_path / "copy.db-wal").read_bytes()
    (tmp_path / "copy.db-wal").write_bytes(wal[:-700])
    torn = ask(tmp_path / "copy.db", *words[1:])
    assert (torn["verdict"], torn["blocks"]) == ("tampered", 5), torn
    (tmp_path / "copy.db-wal").unlink()
    without = ask(tmp_path / "copy.db", *words[1:])
    assert (without["verdict"], without["blocks"]) == ("tampered", 3), without
    assert any("WAL" in note for note in without["notes"])


def test_octets_changed_anywhere_in_the_file_never_crash_hang_or_prove_another_log(tmp_path, ask, proof):
    _, words = proof
    honest = words[0].read_bytes()
    head = ask(*words)["head"]["hash"]
    chance = random.Random(11)
    verdicts = set()
    for _ in range(300 if os.environ.get("HEALER_TORTURE_STEP") != "1" else 5000):
        octets = bytearray(honest)
        # Half of the damage goes where the structure is: the first page, and the beginnings of the others.
        for _ in range(chance.choice([1, 1, 4])):
            page = chance.choice([0, 0, chance.randrange(len(octets) // 4096)])
            place = page * 4096 + chance.choice([chance.randrange(16), chance.randrange(120), chance.randrange(4096)])
            octets[place] = chance.choice([0, 255, octets[place] ^ 1 << chance.randrange(8)])
        (tmp_path / "broken.db").write_bytes(octets)
        report = ask(tmp_path / "broken.db", *words[1:])
        verdicts.add(report["verdict"])
        assert report["verdict"] != "crashed", report
        assert report["exit"] != 0 or report["head"]["hash"] == head, report
    assert verdicts == {"proven", "tampered", "not proven"}


def test_file_that_points_in_circles_gets_a_sentence(tmp_path, ask, proof):
    _, words = proof
    octets = bytearray(words[0].read_bytes())
    # Page 2 is the root of the table: an interior page whose only child is itself.
    octets[4096 : 4096 + 12] = bytes([5, 0, 0, 0, 0, 0, 0, 0]) + (2).to_bytes(4, "big")
    (tmp_path / "loop.db").write_bytes(octets)
    report = ask(tmp_path / "loop.db", *words[1:])
    assert report["exit"] == 2
    assert "circles" in report["findings"][0]["text"]


@pytest.mark.parametrize(
    "octets",
    [b"x", b"\x00" * 10_000, b"SQLite format 3\x00", b"SQLite format 3\x00" + b"\xff" * 5000, b"PK\x03\x04" * 999],
)
def test_what_is_no_log_is_not_proven(tmp_path, ask, proof, octets):
    (tmp_path / "strange").write_bytes(octets)
    report = ask(tmp_path / "strange", *proof[1][1:])
    assert (report["exit"], report["level"]) == (2, None), report


def test_view_or_other_table_named_blocks_is_not_a_log(tmp_path, ask, proof):
    for number, schema in enumerate(
        [
            "CREATE VIEW blocks AS SELECT 1 AS height",
            "CREATE TABLE blocks (height INTEGER PRIMARY KEY, hdr BLOB)",
            "CREATE TABLE b (x)",
        ]
    ):
        connection = sqlite3.connect(tmp_path / f"{number}.db")
        connection.execute(schema)
        connection.commit()
        connection.close()
        assert ask(tmp_path / f"{number}.db", *proof[1][1:])["exit"] == 2


def test_bundle_is_proven_and_its_lies_are_not(tmp_path, ask):
    log = history()
    signer, witness = forge.Note(log.origin, 1), forge.Note("w.example", 4)
    note = forge.checkpoint(log.origin, log.headers, [(signer, 0), (witness, int(time.time()))])
    (tmp_path / "key.pem").write_bytes(forge.key(0).pem)
    (tmp_path / "policy").write_text(f"log {signer.vkey}\nwitness W {witness.vkey}\nquorum W\n")
    (tmp_path / "anchor").write_bytes(log.anchor(3))

    def said(bundle, *words):
        (tmp_path / "bundle").write_bytes(bundle)
        report = ask(tmp_path / "bundle", "--key", tmp_path / "key.pem", *words)
        return report["exit"], report["level"]

    def lie(**changes):
        return lambda extra: extra["entries"][0].update(changes)

    policy = ("--policy", tmp_path / "policy")
    honest = forge.bundle(log, [1, 3], note)
    assert said(honest, *policy) == (0, "L3")
    assert said(honest, "--anchor", tmp_path / "anchor") == (2, "L1"), "the anchor vouches for one of two blocks"
    assert said(forge.bundle(log, [3], note), "--anchor", tmp_path / "anchor") == (0, "L1")
    assert said(honest) == (2, "L1")
    assert said(forge.bundle(log, [1], note, edit=lie(octets=forge.b64(b"{}"))), *policy)[0] == 1
    assert said(forge.bundle(log, [1], note, edit=lie(at=2)), *policy)[0] == 1
    assert (
        said(forge.bundle(log, [1], note, edit=lambda extra: extra.update(sig=forge.b64(log.rows[2].sig))), *policy)[0]
        == 1
    )
    assert said(forge.bundle(log, [1], note, edit=lambda extra: extra.update(v=2)), *policy)[0] == 2
    assert said(forge.bundle(log, [1], note, edit=lambda extra: extra.update(entries=[])), *policy)[0] == 1
    assert said(honest.replace(b"index 1", b"index 2"), *policy)[0] == 1
    assert said(honest[:400], *policy)[0] == 1
    other = forge.checkpoint(log.origin, [*log.headers[:5], b"x"], [(signer, 0), (witness, int(time.time()))])
    assert said(forge.bundle(log, [1], note)[: -len(note)] + other, *policy)[0] == 1


# ------------------------------------------------------------------------------------------------------ the page


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "audit-verify.html"
    file.write_text(build.page(), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    profile = tmp_path_factory.mktemp("profile")
    one = chromium.Chromium(program("chromium"), profile, "--host-resolver-rules=MAP lan.test 127.0.0.1")
    yield one
    one.close()


@pytest.fixture
def shown(browser, page):
    """Open the page afresh, give it files, and answer with the verdict and the level it shows."""

    def show(*files):
        browser.events.clear()
        browser.open("about:blank#")
        browser.open(page.as_uri())
        browser.js("localStorage.clear()")
        browser.give("#files", list(files))
        browser.wait("!document.getElementById('report').hidden")
        return browser.js(
            "[document.getElementById('report').dataset.verdict, document.getElementById('report').dataset.level]"
        )

    return show


def text(browser, selector):
    return browser.js(f"document.querySelector({json.dumps(selector)}).innerText")


def test_page_is_one_file_that_may_load_nothing(page):
    written = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in written
    assert "unsafe-inline" not in written
    assert written == build.page()
    for loads in ("src=", "<link", "import(", "fetch(", "XMLHttpRequest", "WebSocket", "@import", "url("):
        assert loads not in written, loads


def test_page_proves_a_log_and_shows_a_flipped_bit(tmp_path, browser, shown, proof):
    log, words = proof
    files = [words[0], words[2], words[4]]
    assert shown(*files) == ["proven", "L2"]
    assert "PROVEN" in text(browser, "#verdict")
    assert "blocks 0 to 5" in text(browser, "#facts")
    browser.wait("document.querySelectorAll('#list tbody tr').length > 30")
    assert browser.js("document.querySelector('#list tbody button').textContent") == "29"
    assert not browser.complaints()
    outside = [url for url in browser.requests() if not url.startswith(("file:", "blob:", "data:", "about:"))]
    assert not outside, outside

    row = log.rows[4]
    row.body = row.body[:50] + bytes([row.body[50] ^ 1]) + row.body[51:]
    words[0].unlink()
    forge.write(words[0], log.rows)
    assert shown(*files) == ["tampered", "none"]
    assert "TAMPERED" in text(browser, "#verdict")
    assert text(browser, "#wrong tbody td") == "4"


def test_page_shows_what_a_bundle_proves(tmp_path, browser, shown):
    log = history()
    signer = forge.Note(log.origin, 1)
    (tmp_path / "bundle").write_bytes(forge.bundle(log, [2], forge.checkpoint(log.origin, log.headers, [(signer, 0)])))
    (tmp_path / "key.pem").write_bytes(forge.key(0).pem)
    (tmp_path / "anchor").write_bytes(log.anchor(2))
    assert shown(tmp_path / "bundle", tmp_path / "key.pem", tmp_path / "anchor") == ["proven", "L1"]
    browser.wait("document.querySelectorAll('#list tbody tr').length === 10")


def test_hostile_text_in_an_entry_is_shown_and_does_not_run(tmp_path, browser, shown):
    evil = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>\u202e'
    log = history(1)
    entry = log.common("event", 0) | {"type": evil, "data": {"a": evil}, "node": evil}
    log.seal_octets([forge.canonical(entry)])
    forge.write(tmp_path / "<img src=x onerror=window.owned=1>.db", log.rows)
    (tmp_path / "key.pem").write_bytes(forge.key(0).pem)
    (tmp_path / "anchor").write_bytes(log.anchor())
    assert shown(*tmp_path.iterdir())[0] == "proven"
    browser.wait("document.querySelectorAll('#list tbody tr').length === 12")
    browser.js("document.querySelector('#list tbody button').click()")
    octets = text(browser, "#list tbody pre")
    assert "<script>window.owned=1</script>\\u202e" in octets
    assert forge.leaf(forge.canonical(entry)).hex() in text(browser, "#list tbody tr.octets")
    assert browser.js("window.owned") is None
    assert browser.js("document.querySelectorAll('main img, main script').length") == 0


def test_filter_finds_entries_by_kind_and_text(tmp_path, browser, shown, proof):
    log, words = proof
    assert shown(words[0], words[2], words[4])[0] == "proven"
    wanted = [one for row in log.rows for one in forge.split(row.body) if json.loads(one)["kind"] == "intent"]
    form = "const { elements, lastElementChild } = document.querySelector('#filter');"
    browser.js(f"{{ {form} elements.kind.value = 'intent'; lastElementChild.click(); }}")
    count = "document.querySelectorAll('#list tbody tr.octets').length"
    browser.wait(f"{count} === {len(wanted)} && !document.getElementById('where').textContent.includes('looked')")
    browser.js(f"{{ {form} elements.text.value = 'no such words'; lastElementChild.click(); }}")
    browser.wait("document.getElementById('where').textContent === 'no entry fits'")


def test_page_remembers_a_proven_head_and_notices_an_older_copy(tmp_path, browser, shown, proof, page):
    log, words = proof
    assert shown(words[0], words[2], words[4])[0] == "proven"
    forge.write(tmp_path / "older.db", log.rows[:4])
    browser.open("about:blank#")
    browser.open(page.as_uri())
    browser.give("#files", [tmp_path / "older.db", words[2]])
    browser.wait("!document.getElementById('report').hidden")
    assert "TAMPERED" in text(browser, "#verdict")
    assert "older copy" in text(browser, "#wrong")


def test_page_over_plain_http_says_what_to_do(tmp_path, browser, page, proof):
    _, words = proof

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Quiet(*a, directory=str(page.parent))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            browser.open(f"http://lan.test:{server.server_port}/{page.name}")
            assert browser.js("window.isSecureContext") is False
            assert "plain http" in text(browser, "[role=alert]")
            browser.give("#files", [words[0], words[2], words[4]])
            browser.wait("!document.getElementById('report').hidden")
            verdict = browser.js(
                "[document.getElementById('report').dataset.verdict, document.getElementById('report').dataset.level]"
            )
            assert verdict == ["not proven", "L0"]
        finally:
            browser.open("about:blank#")
            server.shutdown()
            thread.join()


def test_picture_of_the_page_can_be_taken(browser, shown, proof):
    _, words = proof
    shown(words[0], words[2], words[4])
    assert base64.b64decode(browser.screenshot()).startswith(b"\x89PNG")
