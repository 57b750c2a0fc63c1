"""A command gets what it was promised and nothing else, and nothing of it outlives its time."""

import hashlib
import os
import textwrap
import time
from pathlib import Path

import pytest

from healer.actions.run import Run, filled
from healer.drivers import cgroups, processes
from healer.errors import ActionError, AmbiguousError
from tests.healer.actions.conftest import INTENT

PYTHON = "/usr/bin/python3"
GROUPS = [cgroups.Cgroups(None, "none"), cgroups.detect()]


def python(code):
    return [PYTHON, "-c", textwrap.dedent(code)]


@pytest.fixture(params=GROUPS, ids=["without a cgroup", "with a cgroup"])
def run(request):
    return Run(request.param)


async def test_output_and_exit_code_come_back(run, order):
    done = await run.act(order({"argv": ["/bin/echo", "hello"]}))
    assert (done.rc, done.output) == (0, b"hello\n")
    assert done.facts["output_sha256"] == hashlib.sha256(b"hello\n").hexdigest()


@pytest.mark.parametrize(
    ("code", "params", "kind", "transient"),
    [
        (1, {}, ActionError, True),
        (78, {}, ActionError, False),
        (3, {"permanent": (3,)}, ActionError, False),
        (4, {"ambiguous": (4,)}, AmbiguousError, False),
        (0, {"ok": (5,)}, ActionError, True),
        ("signal", {}, ActionError, True),
    ],
)
async def test_exit_codes_mean_what_was_declared(run, order, code, params, kind, transient):
    ends = "kill -9 $$" if code == "signal" else f"echo why; exit {code}"
    with pytest.raises(ActionError) as caught:
        await run.act(order({"argv": ["/bin/sh", "-c", ends], **params}))
    assert type(caught.value) is kind
    assert caught.value.transient == transient
    assert ("why" in str(caught.value)) == (code != "signal")


async def test_a_code_that_was_declared_fine_is_done(run, order):
    assert (await run.act(order({"argv": ["/bin/sh", "-c", "exit 5"], "ok": (0, 5)}))).rc == 5


async def test_its_surroundings_are_clean(run, order, monkeypatch):
    monkeypatch.setenv("CANARY", "secret")
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    code = """
        import os
        os.umask(mask := os.umask(0))
        print(sorted(os.environ), sorted(os.listdir('/proc/self/fd')), os.getcwd(), oct(mask))
    """
    done = await run.act(order({"argv": python(code), "env": {"MINE": "1"}}))
    os.close(reading)
    os.close(writing)
    expected = [
        "HEALER_INTENT",
        "HEALER_RULE",
        "HEALER_TARGET",
        "HOME",
        "LANG",
        "LOGNAME",
        "MINE",
        "PATH",
        "SHELL",
        "USER",
    ]
    said = done.output.decode()
    assert said.startswith((str(expected), str([*expected[:5], "LC_CTYPE", *expected[5:]])))
    assert "['0', '1', '2', '3'] / 0o77" in said


async def test_arguments_are_literal(run, order, tmp_path):
    nasty = [f"$(touch {tmp_path}/p)", f"; touch {tmp_path}/p", "`x`", "-n", "{0.__class__}", "{target}x", "\ud800"]
    done = await run.act(order({"argv": [*python("import sys; print(ascii(sys.argv[1:]))"), *nasty[:-1]]}))
    assert done.output.decode().strip() == ascii(nasty[:-1])
    assert not (tmp_path / "p").exists()
    with pytest.raises((ActionError, UnicodeEncodeError)):
        await run.act(order({"argv": ["/bin/echo", nasty[-1]]}))


def test_slots_are_whole_arguments_and_plain_names(order):
    words = ["/bin/x", "{target}", "{name}", "{kind}", "{rule}", "{intent}", "--{name}"]
    assert filled(words, order()) == ["/bin/x", "program:api", "api", "program", "web", INTENT, "--{name}"]
    for name in ("-oProxyCommand=x", "@file", "a b", "a;b", "$(x)", "x\n"):
        with pytest.raises(ActionError, match="plain name"):
            filled(["/bin/x", "{name}"], order(name=name))


@pytest.mark.parametrize(
    "words", [["{name}"], ["sh", "-c", "{name}"], ["python3", "{name}"], ["find", "/", "-exec", "{name}"]]
)
def test_a_slot_never_stands_where_code_is_expected(order, words):
    with pytest.raises(ActionError, match="code"):
        filled(words, order())


async def test_a_flood_is_cut_short_capped_and_hashed_whole(run, order):
    code = "import os; [os.write(1, bytes([65 + i % 26]) * 65536) for i in range(800)]"
    done = await run.act(order({"argv": python(code), "max_output": 1000}))
    whole = hashlib.sha256()
    for i in range(800):
        whole.update(bytes([65 + i % 26]) * 65536)
    assert done.facts["output_sha256"] == whole.hexdigest()
    assert done.facts["output_size"] == 800 * 65536
    assert len(done.output) < 1100
    assert done.output.startswith(b"A" * 500 + b"\n[... ")
    assert done.output.endswith(b" bytes left out ...]\n" + bytes([65 + 799 % 26]) * 500)


async def test_an_endless_flood_ends_with_its_time(run, order):
    before = time.monotonic()
    with pytest.raises(AmbiguousError, match="did not end within"):
        await run.act(order({"argv": ["yes"], "grace": 0.2}, timeout=0.5))
    assert time.monotonic() - before < 4.0


async def test_octets_that_are_no_text_come_through(run, order):
    done = await run.act(order({"argv": python("import os; os.write(1, bytes(range(256)))")}))
    assert done.output == bytes(range(256))


DAEMON = """
    import os, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open(sys.argv[1], 'w').write(str(os.getpid()))
            os.rename(sys.argv[1], sys.argv[2])
            time.sleep(60)
        os._exit(0)
    os.wait()
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.01)
    time.sleep(float(sys.argv[3]))
"""


async def test_what_ignores_term_is_killed_with_a_double_forked_daemon(run, order, tmp_path):
    path = tmp_path / "pid"
    deaf = "import signal; signal.signal(15, signal.SIG_IGN)\n"
    argv = [PYTHON, "-c", deaf + textwrap.dedent(DAEMON), f"{path}.new", str(path), "60"]
    with pytest.raises(AmbiguousError):
        await run.act(order({"argv": argv, "grace": 0.2}, timeout=1.0))
    assert processes.generation(int(path.read_text())) == ""


@pytest.mark.parametrize("keep", [True, False])
async def test_a_daemon_left_by_a_command_that_ended_is_kept_unless_told_otherwise(order, tmp_path, keep):
    path = tmp_path / "pid"
    done = await Run(GROUPS[0]).act(
        order({"argv": [*python(DAEMON), f"{path}.new", str(path), "0"], "keep_daemons": keep})
    )
    daemon = int(path.read_text())
    seen = processes.generation(daemon)
    if keep:
        assert seen
        os.kill(daemon, 9)
    assert done.facts["left_killed"] == (0 if keep else 1)


async def test_a_background_job_does_not_outlive_its_command(run, order):
    done = await run.act(order({"argv": ["/bin/sh", "-c", "sleep 60 & echo $!"]}))
    assert done.facts["left_killed"] == 1
    assert processes.generation(int(done.output)) == ""


async def test_a_run_cut_short_may_be_repeated_only_where_it_says_so(run, order):
    with pytest.raises(ActionError) as caught:
        await run.act(order({"argv": ["sleep", "60"], "idempotent": True, "grace": 0.1}, timeout=0.1))
    assert type(caught.value) is ActionError
    assert caught.value.transient


async def test_a_command_others_can_write_is_not_run(run, order, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\ntrue\n")
    script.chmod(0o777)
    with pytest.raises(ActionError, match="written by others"):
        await run.act(order({"argv": [str(script)]}))


async def test_another_account_is_taken(order):
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    done = await Run(GROUPS[0]).act(order({"argv": ["/usr/bin/id", "-un"], "user": "nobody"}))
    assert done.output == b"nobody\n"


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_nothing_leaks_over_many_runs(run, order):
    await run.act(order({"argv": ["/bin/true"]}))
    before = open_files()
    for _ in range(10):
        await run.act(order({"argv": ["/bin/true"]}))
    with pytest.raises(ActionError):
        await run.act(order({"argv": ["/no/such"]}))
    assert open_files() == before


def test_the_dry_run_shows_the_command_or_the_refusal(order):
    assert Run(GROUPS[0]).would(order({"argv": ["x", "{name}"]})) == "would run 'x api'"
    assert "would refuse" in Run(GROUPS[0]).would(order({"argv": ["{name}"]}))
