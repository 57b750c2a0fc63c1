"""Two agents whose logs are witnessed by each other's hosts and a third, each witness a process of its own."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from audit import holding
from audit.block import parse_header
from audit.reader import Log
from audit.writer import Writer
from tests.integration.test_agent import CALM, PROGRAM, RULES, Home, ended
from tests.integration.test_timestamps import Tsa

pytestmark = pytest.mark.slow

QUICK = RULES.replace("cooldown: 1h", "cooldown: 1s\n    backoff: {initial: 100ms, max: 200ms}")
BEFORE = QUICK.replace("mode: auto", "mode: auto\n    witness: before")


def auditor(*command):
    argv = [sys.executable, "-m", "audit", *map(str, command)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


class Witness:
    """``healer-audit witness serve`` on loopback; it may end, and come back to where it was."""

    def __init__(self, folder, name):
        self.folder, self.name, self.where = folder / f"w-{name}", name, "127.0.0.1:0"
        self.folder.mkdir()
        made = auditor("witness", "key", self.folder / "key", f"witness.example/{name}")
        assert made.returncode == 0, made.stderr
        self.vkey, self.process, self.logs = made.stdout.strip(), None, []

    def begin(self, *logs):
        self.logs = list(logs) or self.logs
        argv = [sys.executable, "-m", "audit", "witness", "serve", "--key", self.folder / "key"]
        argv += ["--state", self.folder / "state", "--listen", self.where]
        argv += [word for log in self.logs for word in ("--log", log)]
        self.process = subprocess.Popen([str(word) for word in argv], stdout=subprocess.PIPE, text=True)
        self.where = self.process.stdout.readline().split()[2]
        return self

    def end(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    @property
    def line(self):
        return f"witness {self.name} {self.vkey} http://{self.where}\n"


class Host(Home):
    """A home whose agent asks the witnesses of others."""

    def __init__(self, folder, name):
        folder.mkdir()
        super().__init__(folder)
        self.name = name
        Writer.open(self.state, node=name).close()
        self.vkey = holding.vkey(self.state)

    def call(self, *witnesses, rules=QUICK, **audit):
        names = " ".join(one.name for one in witnesses)
        text = "".join(one.line for one in witnesses) + f"group fleet {len(witnesses)} {names}\nquorum fleet\n"
        (self.folder / "policy").write_text(text)
        (self.folder / "auditors").write_text(f"log {self.vkey}\n{text}")
        (self.folder / "r.yaml").write_text(rules)
        audit = {"policy": str(self.folder / "policy"), "witness": {"every": "200ms", "timeout": "1s"}, **audit}
        self.configure(node=self.name, audit=audit, programs=[PROGRAM | {"on_stop": "stop"}], limits=CALM)
        return self

    def until(self, true, patience=40.0):
        return super().until(true, patience)

    def seen(self):
        return json.loads(self.healer("--output", "json", "status").stdout)

    def reached(self):
        return self.until(lambda: self.seen()["log"]["witnessed"]["reached"])

    def level(self, *more):
        argv = ("verify", self.state, "--policy", self.folder / "auditors", "--no-memory", "--json", "--deep", *more)
        return json.loads(auditor(*argv).stdout)

    def stop(self, agent):
        agent.send_signal(signal.SIGTERM)
        assert ended(agent) == 0


@pytest.fixture
def fleet():
    """Hosts a and b, and witnesses on a, b and a third host: each log is witnessed where it does not live."""
    folder = Path(tempfile.mkdtemp(prefix="f", dir="/tmp"))
    a, b = Host(folder / "a", "a"), Host(folder / "b", "b")
    on_a, on_b, third = (Witness(folder, name) for name in ("on-a", "on-b", "third"))
    on_a.begin(b.vkey)
    on_b.begin(a.vkey)
    third.begin(a.vkey, b.vkey)
    yield a, b, on_a, on_b, third
    for one in (a, b):
        one.close()
    for one in (on_a, on_b, third):
        one.end()
    shutil.rmtree(folder, ignore_errors=True)


def test_hosts_witness_each_other_and_their_logs_are_proven_to_l3(fleet):
    a, b, on_a, on_b, third = fleet
    agents = [a.call(on_b, third).run(), b.call(on_a, third).run()]
    for host, agent in zip((a, b), agents, strict=True):
        os.kill(host.pid(), signal.SIGKILL)
        host.until(host.cured)
        host.reached()
        host.stop(agent)
        found = host.level("--min-level", "L3")
        assert (found["level"], found["verdict"]) == ("L3", "proven"), found
        # The last block was shown before the agent went, and headers name what came from outside.
        with Log.open(host.state) as log:
            headers = [parse_header(stub.hdr) for stub in log.stubs(0)]
        assert holding.newest(host.state).head.size == len(headers)
        assert headers[-1].beacon
        # What is kept elsewhere, with the key, is all an auditor needs to trust.
        kept, key = host.folder / "kept.note", host.folder / "kept.pub"
        kept.write_text(auditor("anchor", host.state).stdout)
        shutil.copy(host.state / "keys" / "seal.pub", key)
        found = host.level("--anchor", kept, "--key", key)
        assert (found["verdict"], found["independent"]) == ("proven", True), found


def test_a_rule_that_acts_before_witnesses_only_heals_when_the_quorum_answers(fleet):
    a, _, _, on_b, third = fleet
    agent = a.call(on_b, third, rules=BEFORE).run()
    a.pid()
    a.reached()
    on_b.end()
    pid = a.pid()
    os.kill(pid, signal.SIGKILL)
    refused = a.until(lambda: [one for one in a.entries("outcome") if one["result"] == "refused"])
    assert "before witnesses only" in refused[0]["because"]
    assert "on-b" in refused[0]["because"]
    assert not a.cured()
    on_b.begin()
    a.until(a.cured)
    assert agent.poll() is None
    a.stop(agent)
    assert a.level("--min-level", "L3")["level"] == "L3"


def test_an_agent_whose_state_was_put_back_stops_acting_and_says_why_until_a_person_resumes(fleet):
    a, _, _, on_b, third = fleet
    agent = a.call(on_b, third).run()
    a.reached()
    a.stop(agent)
    shutil.copytree(a.state, a.folder / "older")
    agent = a.run()
    os.kill(a.pid(), signal.SIGKILL)
    a.until(a.cured)
    a.reached()
    a.stop(agent)
    shutil.rmtree(a.state)
    shutil.copytree(a.folder / "older", a.state)
    agent = a.run()
    safe = a.seen()["safe_mode"]
    assert "cosigned" in safe
    assert "witness" in safe
    gap = a.entries("gap")[-1]
    assert gap["data"]["size"] > gap["data"]["ours"]
    # Its own key signed what it does not have: proof that needs no trust in the witness.
    assert list((a.state / "contradictions").glob("*.note"))
    assert a.level()["verdict"] != "tampered"
    # What it was to bring up, it does not: nothing is done at all.
    assert a.healer("act", "start", "program:p").returncode != 0
    assert a.healer("resume-healing").returncode == 0
    a.until(lambda: not a.seen()["safe_mode"])
    old = a.pid()
    os.kill(old, signal.SIGKILL)
    a.until(lambda: a.pid() != old)
    a.stop(agent)
    # Accepted once, it is not held against the next start.
    agent = a.run()
    a.until(lambda: a.seen()["log"]["witnessed"]["witnesses"])
    assert not a.seen()["safe_mode"]
    a.stop(agent)


@contextlib.contextmanager
def authority(tsa):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            reply = tsa.reply(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.real
def test_with_a_time_stamp_authority_a_log_is_proven_to_l4(fleet, real, tmp_path):
    real("openssl")
    tsa = Tsa(folder=tmp_path).make("ec")
    a, _, _, on_b, third = fleet
    with authority(tsa) as url:
        roots = tmp_path / "root.pem"
        agent = a.call(on_b, third, timestamps={"url": url, "roots": str(roots), "every": "1h"}).run()
        a.until(lambda: (a.seen()["log"]["witnessed"]["dated"] or {})["age"] is not None)
        a.stop(agent)
    found = a.level("--tsa", roots, "--min-level", "L4")
    assert (found["level"], found["verdict"]) == ("L4", "proven"), found
