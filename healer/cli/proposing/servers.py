"""Servers known by name: of which kind a target they are, and the keys it needs. No password is read or asked for."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from healer.cli.proposing.heard import Heard
from healer.cli.proposing.proposal import Proposal, clean, organ_of

Make = Callable[[Heard, Path], Iterator[Proposal]]

_TLS = frozenset({443, 465, 636, 853, 993, 995, 8443})
_LONGEST = 1 << 20
_SOCKET = re.compile(r"^\s*stats\s+socket\s+(?:unix@)?(/\S+)", re.MULTILINE)
_BACKEND = re.compile(r"^(?:backend|listen)\s+([A-Za-z0-9_.:-]{1,128})\s*(?:#.*)?$", re.MULTILINE)
_MOST_BACKENDS = 20


def of_server(one: Heard, root: Path = Path("/")) -> list[Proposal] | None:
    """What a listener is proposed as; None where its name says nothing. ``root``: where the host's files are."""
    for pattern, make in KNOWN.items():
        if re.fullmatch(pattern, one.name):
            return list(make(one, root))
    return None


def plain(one: Heard) -> Iterator[Proposal]:
    """A process nobody knows: itself, unless a unit stands for it, and the port it listens at."""
    name, organ = clean(one.name), organ_of(one.name)
    if not one.unit and not one.container:
        yield Proposal(kind="process", name=name, organ=organ, because=one.says, keys={"process": one.name})
    yield _tcp(one, name, organ)


def _tcp(one: Heard, name: str, organ: str) -> Proposal:
    where = {"host": one.host, "port": one.port}
    organ = "lungs" if organ == "heart" else organ
    return Proposal(kind="tcp", name=f"{name}-{one.port}", organ=organ, because=one.says, keys={**where, **_of(one)})


def _of(one: Heard) -> dict[str, Any]:
    """The unit it cannot do without."""
    return {"requires": [f"unit:{clean(one.unit)}"]} if one.unit and clean(one.unit) == one.unit else {}


def _postgres(one: Heard, root: Path) -> Iterator[Proposal]:
    named = [value for flag, value in itertools.pairwise(one.argv) if flag == "-k" and value.startswith("/")]
    folder = next((path for path in (*named, "/var/run/postgresql", "/tmp") if _is_socket(root, path, one.port)), "")  # noqa: S108 - where PostgreSQL puts it by default
    keys = {"host": folder or one.host, "port": one.port, "user": "healer"}
    needs = f"CREATE ROLE healer LOGIN; GRANT pg_monitor TO healer; a rule for it in pg_hba.conf ({_LATER})"
    name = f"postgres-{one.port}"
    yield Proposal(
        kind="postgres", name=name, organ="stomach", because=one.says, keys={**keys, **_of(one)}, needs=needs
    )
    yield from _log(root, "/var/log/postgresql", "*.log", "postgres", {"fatal": "FATAL:", "panic": "PANIC:"})


_LATER = "password: {credential: NAME} where it wants one"
_REDIS = f"docs/kinds/redis.md says which rights it needs; {_LATER}"


def _is_socket(root: Path, folder: str, port: int) -> bool:
    try:
        return (root / folder.lstrip("/") / f".s.PGSQL.{port}").is_socket()
    except OSError:
        return False


def at_rest(found: Iterable[str], root: Path = Path("/")) -> Iterator[Proposal]:
    """Databases that listen at no port: by their sockets. ``found``: ids of what was found by its port."""
    for path in _sockets(root, "var/run/postgresql", ".s.PGSQL.*"):
        port = path.name.rpartition(".")[2]
        if port.isdecimal():
            yield from _postgres(Heard(name="postgres", pid=0, address="its socket", port=int(port)), root)
    if any(name.startswith("redis:") for name in found):
        return
    for path in (*_sockets(root, "var/run/redis", "*.sock"), *_sockets(root, "run/valkey", "*.sock")):
        says = f"the socket /{path.relative_to(root)} is there"
        keys = {"socket": f"/{path.relative_to(root)}"}
        name = clean(f"redis-{path.stem}")
        yield Proposal(kind="redis", name=name, organ="stomach", because=says, keys=keys, needs=_REDIS)


def _sockets(root: Path, folder: str, names: str) -> list[Path]:
    try:
        return sorted(path for path in (root / folder).glob(names) if path.is_socket())
    except OSError:
        return []


def _redis(one: Heard, _root: Path) -> Iterator[Proposal]:
    keys = {"host": one.host, "port": one.port, **_of(one)}
    yield Proposal(kind="redis", name=f"redis-{one.port}", organ="stomach", because=one.says, keys=keys, needs=_REDIS)


def _rabbitmq(one: Heard, root: Path) -> Iterator[Proposal]:
    if not any("rabbit" in word for word in one.argv):
        yield from plain(one)
        return
    text = "".join(map(_read, _rabbit_files(one, root)))
    management, messages = _PORT["management"].findall(text), _PORT["messages"].findall(text)
    if str(one.port) in (management or ["15672"]):
        keys = {"url": f"http://{_bracketed(one.host)}:{one.port}", **_of(one)}
        needs = f"a user of its own with the tag monitoring, as username: ...; {_LATER}"
        yield Proposal(kind="rabbitmq", name="rabbitmq", organ="stomach", because=one.says, keys=keys, needs=needs)
    elif str(one.port) in (messages or ["5671", "5672"]):
        yield _tcp(one, "rabbitmq", "stomach")


_PORT = {
    "management": re.compile(r"^\s*management\.(?:tcp|ssl)\.port\s*=\s*(\d{1,5})", re.MULTILINE),
    "messages": re.compile(r"^\s*listeners\.(?:tcp|ssl)\.\w+\s*=\s*(?:\S*:)?(\d{1,5})", re.MULTILINE),
}


def _rabbit_files(one: Heard, root: Path) -> list[Path]:
    """Its configuration: the file its environment names, else the usual one."""
    words = _read(root / "proc" / str(one.pid) / "environ").split("\0")
    named = [value for key, _, value in (word.partition("=") for word in words) if key == "RABBITMQ_CONFIG_FILE"]
    path = next((value for value in named if value.startswith("/")), "/etc/rabbitmq/rabbitmq")
    stem = path.lstrip("/").removesuffix(".conf")
    return [root / stem, root / f"{stem}.conf"]


def _haproxy(one: Heard, root: Path) -> Iterator[Proposal]:
    text = "".join(_read(path) for path in _configured(one.argv, root))
    sockets = _SOCKET.findall(text)
    if not sockets:
        yield from _web(one, root)
        return
    keys: dict[str, Any] = {"socket": sockets[0], **_of(one)}
    needs = "the agent's account may open that socket; level admin only where it shall give orders"
    stem = clean(f"haproxy-{Path(sockets[0]).stem}") if sockets[0] != "/run/haproxy/admin.sock" else "haproxy"
    yield Proposal(kind="haproxy", name=stem, organ="lungs", because=one.says, keys=keys, needs=needs)
    for backend in dict.fromkeys(_BACKEND.findall(text)[:_MOST_BACKENDS]):
        says = f"backend {backend} of the HAProxy behind {sockets[0]}"
        yield Proposal(
            kind="haproxy", name=clean(f"{stem}-{backend}"), organ="lungs", because=says,
            keys={**keys, "backend": backend},
        )  # fmt: skip
    if one.port in _TLS:
        yield _certificate(one)


def _configured(argv: tuple[str, ...], root: Path) -> list[Path]:
    """The files named by -f, else the usual one."""
    named = [value for flag, value in itertools.pairwise(argv) if flag == "-f" and value.startswith("/")]
    return [root / path.lstrip("/") for path in named or ["/etc/haproxy/haproxy.cfg"]]


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _web(one: Heard, root: Path) -> Iterator[Proposal]:
    name = clean(one.name)
    if one.port in _TLS:
        yield _certificate(one)
        yield _tcp(one, name, "lungs")
    else:
        keys = {"url": f"http://{_bracketed(one.host)}:{one.port}/", **_of(one)}
        needs = "expect: {status: [...]} where its front page is not a 2xx"
        yield Proposal(kind="http", name=f"{name}-{one.port}", organ="lungs", because=one.says, keys=keys, needs=needs)
    words = {"crit": "crit", "emerg": "emerg", "alert": "alert"}
    yield from _log(root, f"/var/log/{name}", "error.log", name, {key: rf"\[{word}\]" for key, word in words.items()})


def _certificate(one: Heard) -> Proposal:
    needs = "server_name: the name its certificate is for"
    keys = {"host": one.host, "port": one.port, **_of(one)}
    name = f"{clean(one.name)}-{one.port}-certificate"
    return Proposal(kind="tls", name=name, organ="immune", because=one.says, keys=keys, needs=needs)


def _ssh(one: Heard, _root: Path) -> Iterator[Proposal]:
    yield _tcp(one, "ssh", "immune")


def _log(root: Path, folder: str, files: str, name: str, patterns: Mapping[str, str]) -> Iterator[Proposal]:
    try:
        there = any((root / folder.lstrip("/")).glob(files))
    except OSError:
        there = False
    if there:
        says = f"{folder}/{files} is there"
        keys = {"path": f"{folder}/{files}", "patterns": dict(patterns)}
        yield Proposal(kind="log", name=f"{name}-log", organ="nervous", because=says, keys=keys)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


KNOWN: Mapping[str, Make] = {
    r"postgres|postmaster": _postgres,
    r"redis-server|valkey-server": _redis,
    r"beam\.smp": _rabbitmq,
    r"haproxy": _haproxy,
    r"nginx|apache2|httpd|caddy|lighttpd|traefik|envoy": _web,
    r"sshd": _ssh,
}
"""By a pattern over the process' name."""
