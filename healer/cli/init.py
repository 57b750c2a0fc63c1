"""``healer init``: find what runs here, and write a starter configuration that looks at it and touches nothing."""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from healer.cli import schema, show
from healer.cli.schema import MODELINE
from healer.cli.settings import Command, settings
from healer.errors import HealerError

_ASKING = 10.0
_DATABASES = re.compile(r"postgres|mysqld|mariadbd|mongod|redis|valkey|memcached|rabbitmq|beam\.smp|kafka|clickhouse")
_PROXIES = re.compile(r"nginx|haproxy|apache2|httpd|caddy|traefik|envoy")
_NAME = re.compile(r"[^A-Za-z0-9._@-]+")
_MOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One thing that could be looked after."""

    kind: str
    name: str
    organ: str
    because: str
    keys: Mapping[str, Any] = field(default_factory=dict)


@click.command(cls=Command)
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option("--print", "only_print", is_flag=True, help="Print the configuration, write nothing.")
def init(*, folder: Path, only_print: bool) -> int:
    """Propose targets found on this host, and write organism.yaml and rules.d/ into DIR (never over a file)."""
    given = settings()
    found = list(proposals())
    text = document(found)
    if given.json:
        keys = ("kind", "name", "organ", "because")
        said = [{**{key: getattr(one, key) for key in keys}, **one.keys} for one in found]
        show.as_json({"targets": said})
        return 0
    if only_print:
        click.echo(text, nl=False)
        return 0
    _write(folder, text)
    rows = [(f"{one.kind}:{one.name}", one.organ, one.because) for one in found]
    show.table(given, ("PROPOSED", "ORGAN", "BECAUSE"), rows, empty="nothing was found that could be looked after")
    show.note(f"wrote {folder / 'organism.yaml'} and {folder / 'rules.d'}; next: healer check --config organism.yaml")
    return 0


def _write(folder: Path, text: str) -> None:
    """Raises HealerError rather than touch what is there."""
    target = folder / "organism.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
        schema.write(folder / "schemas")
        (folder / "rules.d" / "tests").mkdir(parents=True, exist_ok=True)
        for name, said in (("own.yaml", RULES), ("tests/own.yaml", TESTS)):
            with contextlib.suppress(FileExistsError), (folder / "rules.d" / name).open("x", encoding="utf-8") as file:
                file.write(said)
    except FileExistsError as exc:
        raise HealerError(f"{exc.filename} is there already", hint="name another folder, or use --print") from exc
    except OSError as exc:
        raise HealerError(f"cannot write {target}: {exc.strerror}") from exc


def proposals() -> Iterator[Proposal]:
    """Everything found, each once."""
    seen: set[str] = set()
    for one in (*containers(), *listeners()):
        if (key := f"{one.kind}:{one.name}") not in seen and len(seen) < _MOST:
            seen.add(key)
            yield one


def listeners() -> Iterator[Proposal]:
    """Programs that listen for TCP connections: the process, and where it listens."""
    import psutil

    try:
        sockets = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return  # without root, others' sockets are hidden
    for one in sockets:
        if one.status != psutil.CONN_LISTEN or not one.laddr or not one.pid or one.pid == os.getpid():
            continue
        if name := _process(one.pid):
            yield from of_listener(name, one.pid, str(one.laddr[0]), int(one.laddr[1]))


def of_listener(name: str, pid: int, address: str, port: int) -> Iterator[Proposal]:
    """A process and the port it listens at."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address.removeprefix("::ffff:"))  # noqa: S104 - read, not bound
    says = f"pid {pid} listens at {address}:{port}"
    clean = _NAME.sub("-", name)
    organ = organ_of(name)
    yield Proposal(kind="process", name=clean, organ=organ, because=says, keys={"process": name})
    where = {"host": host, "port": port}
    yield Proposal(
        kind="tcp", name=f"{clean}-{port}", organ="lungs" if organ == "heart" else organ, because=says, keys=where
    )


def _process(pid: int) -> str:
    import psutil

    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return ""


def organ_of(name: str) -> str:
    """Databases and brokers digest, proxies breathe, the rest is heart."""
    if _DATABASES.search(name):
        return "stomach"
    return "lungs" if _PROXIES.search(name) else "heart"


def containers() -> Iterator[Proposal]:
    """Containers that run now."""
    binary = shutil.which("docker")
    if binary is None or not Path("/run/docker.sock").exists():
        return
    for name in _lines([binary, "ps", "--format", "{{.Names}}"]):
        yield Proposal(kind="container", name=name, organ=organ_of(name), because="it runs in Docker")


def _lines(argv: list[str]) -> list[str]:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_ASKING, check=False)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def document(found: list[Proposal]) -> str:
    """An organism.yaml of the proposals."""
    lines = [
        f"{MODELINE}schemas/config.json",
        "# Written by `healer init` from what ran on this host. All of it is only looked at: mode is observe.",
        "# The reference with every key is the organism.yaml that ships with Healer; `healer check` finds mistakes.",
        "version: 1",
        "mode: observe",
        "rules:",
        "  files: [rules.d/*.yaml]",
        "  default_mode: observe",
        "targets:" if found else "targets: []",
    ]
    for one in found:
        keys = {"kind": one.kind, "name": one.name, "organ": one.organ, **one.keys}
        inner = ", ".join(f"{key}: {json.dumps(value)}" for key, value in keys.items())
        lines.append(f"  - {{{inner}}}  # {show.clean(one.because)}")
    return "\n".join(lines) + "\n"


RULES = """\
# yaml-language-server: $schema=../schemas/rules.json
# Your own rules. `healer check` finds mistakes; docs/rules.md tells what a rule can say.
version: 1
rules:
  - id: process-gone
    why: What ran when this file was written should go on running.
    each: {kind: process}
    when: process.up{target} == 0
    for: 30s
    then:
      - notify: {message: a process that should run is gone}
"""

TESTS = """\
# yaml-language-server: $schema=../../schemas/tests.json
# Tests of your own rules: `healer test` plays them; docs/testing-rules.md tells what a test can say.
version: 1
rule_files: ../own.yaml
targets:
  - {kind: process, name: some}
tests:
  - name: a process that is gone for half a minute is told of
    default_mode: auto
    series: [{series: 'process.up{target="process:some"}', values: '1x2 0x6'}]
    expect: {at: 80s, rule: process-gone, target: "process:some", action: notify, times: 1}

  - name: a process that is back at once is nothing to tell
    default_mode: auto
    series: [{series: 'process.up{target="process:some"}', values: '1x2 0 1x6'}]
    expect: {at: 80s, rule: process-gone, target: "process:some", none: true}

  - name: in observe nothing is done about it
    series: [{series: 'process.up{target="process:some"}', values: '1x2 0x6'}]
    expect: {at: 80s, rule: process-gone, target: "process:some", withheld: mode}
"""
