"""Monit's tests as conditions: what stands between ``if`` and ``then``."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from healer.importing.monit_words import Words

_NOISE = re.compile(r"\b(?:is|are|the|only|using|than)\b ?")
_OPS = (
    (r"\b(?:greater|gt|more|older)\b", ">"),
    (r"\b(?:less|lt|newer)\b", "<"),
    (r"\b(?:equal|eq)\b|(?<![=!<>])=(?!=)", "=="),
    (r"\b(?:notequal|ne)\b|<>", "!="),
)
_OP = r"(?P<op>>=|<=|==|!=|>|<)"
_NUMBER = r"(?P<number>\d+(?:\.\d+)?)"
_SIZE = {
    "b": "B", "byte": "B", "bytes": "B", "kb": "KiB", "kilobyte": "KiB", "mb": "MiB", "megabyte": "MiB", "gb": "GiB",
    "gigabyte": "GiB",
}  # fmt: skip
_TIME = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "month": 30 * 86400}
_TAIL = re.compile(r" ?(?:for |within )?(?:(?P<bad>\d+) times? (?:within )?)?(?P<of>\d+) cycles?$")
_PLAIN = re.compile(r"[\w /.,:;@%=<>!~-]+\Z")
_PROTOCOLS = frozenset({"http", "https", "default", "tcp", ""})


class NoHome(Exception):
    """A test that cannot be said here; the text says why."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """What a test is about, and how it is said here."""

    when: str
    guess: str = ""
    """How it was understood, where that is a guess."""
    samples: Mapping[str, int] | None = None
    target: Mapping[str, Any] | None = None
    """A target of its own: a connection."""
    keys: dict[str, Any] = field(default_factory=dict)
    """What the check's own target needs besides."""


def understood(kind: str, name: str, words: Words, seconds: float) -> Asked:
    """The condition of one ``if``, for a check of this kind looked at every so many seconds; raises NoHome."""
    quoted = [word.text for word in words if word.quoted]
    places = iter(range(len(quoted)))
    text = " ".join(
        f"\x00{next(places)}\x00" if word.quoted else word.text.lower().replace("\x00", "") for word in words
    )
    for pattern, op in _OPS:
        text = re.sub(pattern, op, text)
    text = re.sub(r"\s+", " ", _NOISE.sub("", text)).replace("( ", "(").replace(" )", ")").replace(" %", "%").strip()
    text, samples = _tail(text)
    if text.startswith("failed") and re.search(r"\b(?:port|url|unixsocket|unix|ping|icmp|ping4|ping6)\b", text):
        asked = _connection(name, text, quoted)
    else:
        asked = _by_table(kind, text, quoted, seconds)
    asked.samples = samples
    return asked


def _tail(text: str) -> tuple[str, Mapping[str, int] | None]:
    found = _TAIL.search(text)
    if not found:
        return text, None
    of = int(found["of"])
    bad = int(found["bad"] or of)
    if not 1 <= bad <= of <= 1000:
        raise NoHome(f"{bad} of {of} cycles can never be")
    return text[: found.start()].strip(), ({"bad": bad, "of": of} if of > 1 else None)


# ------------------------------------------------------------------------------------------------ by kind

Make = Callable[["re.Match[str]", Sequence[str], float], Asked]


def _by_table(kind: str, text: str, quoted: Sequence[str], seconds: float) -> Asked:
    for pattern, make in _TABLES.get(kind, ()):
        found = re.fullmatch(pattern, text)
        if found:
            return make(found, quoted, seconds)
    shown = re.sub("\x00(\\d+)\x00", lambda match: f'"{quoted[int(match[1])]}"', text)
    raise NoHome(f"nothing here looks at: {shown[:80]}")


def _says(when: str, guess: str = "") -> Make:
    return lambda found, _, seconds: Asked(
        when=when.format(op=found.groupdict().get("op"), number=found.groupdict().get("number"),
                         window=_window(seconds), o="{", c="}"),
        guess=guess,
    )  # fmt: skip


def _window(seconds: float) -> str:
    return f"{max(2, round(2 * seconds))}s"


def _sized(metric: str) -> Make:
    def make(found: "re.Match[str]", _: Sequence[str], __: float) -> Asked:
        unit = _SIZE[found["unit"] or "b"]
        return Asked(when=f"{metric} {found['op']} {found['number']}{unit}")

    return make


def _timed(metric: str) -> Make:
    def make(found: "re.Match[str]", _: Sequence[str], __: float) -> Asked:
        size = _TIME[(found["unit"] or "second").rstrip("s")]
        return Asked(when=f"{metric} {found['op']} {float(found['number']) * size:g}s")

    return make


def _own_cpu(found: "re.Match[str]", _: Sequence[str], __: float) -> Asked:
    cores = os.cpu_count() or 1
    guess = f"of one core here, of all there: {found['number']}% of this host's {cores}"
    return Asked(when=f"process.cpu{{target}} {found['op']} {float(found['number']) * cores:g}%", guess=guess)


def _own_memory(found: "re.Match[str]", _: Sequence[str], __: float) -> Asked:
    if found["unit"] == "%":
        return Asked(when=f"process.memory{{target}} {found['op']} {found['number']}% * memory.total")
    return Asked(when=f"process.memory{{target}} {found['op']} {found['number']}{_SIZE[found['unit'] or 'b']}")


def _load(found: "re.Match[str]", _: Sequence[str], __: float) -> Asked:
    cores = 1 if found["per"] else os.cpu_count() or 1
    metric = "cpu.load_per_core" if found["span"] == "1" else f"avg_over(cpu.load_per_core, {found['span']}m)"
    guess = "" if found["per"] else f"per core here: divided by this host's {cores}"
    return Asked(when=f"{metric} {found['op']} {float(found['number']) / cores:g}", guess=guess)


def _mode(found: "re.Match[str]", _: Sequence[str], __: float) -> Asked:
    return Asked(when=f'file.mode{{target}} != "{int(found["number"], 8):04o}"')


def _owner(found: "re.Match[str]", quoted: Sequence[str], _: float) -> Asked:
    name = _unquoted(found["name"], quoted)
    name = "root" if name == "0" else name
    if not re.fullmatch(r"[a-z_][a-z0-9_.-]{0,31}", name):
        raise NoHome("owners are known by name here, not by number")
    glob = f"{name}:*" if found["which"] in {"uid", "owner"} else f"*:{name}"
    return Asked(when=f'not (file.owner{{target}} matches "{glob}")')


def _content(found: "re.Match[str]", quoted: Sequence[str], _: float) -> Asked:
    text = _unquoted(found["text"], quoted)
    if not _PLAIN.match(text):
        raise NoHome("plain text is looked for in files here, and this is a pattern or the name of a file of patterns")
    wanted = 0 if found["not"] or found.groupdict().get("op") == "!=" else 1
    guess = "the first 1 MiB of the file at each look, not what was added since"
    return Asked(when=f"file.match{{target}} == {wanted}", keys={"match": text}, guess=guess)


def _checksum(found: "re.Match[str]", quoted: Sequence[str], seconds: float) -> Asked:
    expected = _unquoted(found["sum"] or "", quoted)
    if not expected:
        return Asked(when=f"changes(file.checksum{{target}}, {_window(seconds)}) > 0", keys={"checksum": True})
    if not re.fullmatch(r"[0-9a-f]{64}", expected.lower()):
        raise NoHome("checksums are SHA-256 here")
    return Asked(when=f'file.checksum{{target}} != "{expected.lower()}"', keys={"checksum": True})


def _rate(found: "re.Match[str]", _: Sequence[str], __: float) -> Asked:
    metric = {"upload": "net.tx_rate", "download": "net.rx_rate"}[found["way"]]
    return Asked(when=f'{metric}{{interface="@"}} {found["op"]} {found["number"]}{_SIZE[found["unit"]]}')


def _unquoted(text: str, quoted: Sequence[str]) -> str:
    return quoted[int(text.strip("\x00"))] if text.startswith("\x00") else text


_BYTES = rf"{_OP} {_NUMBER} ?(?P<unit>b|bytes?|kb|mb|gb|kilobyte|megabyte|gigabyte)?"
_SPAN = rf"{_OP} {_NUMBER} ?(?P<unit>seconds?|minutes?|hours?|days?|months?)?"
_QUOTED = "(?P<text>\x00\\d+\x00|\\S+)"
_SUM = "(?P<sum>\x00\\d+\x00|[0-9a-f]+)?"
_GONE = r"(?:does )?not exists?|failed exist(?:ence)?"
_TABLES: Mapping[str, Sequence[tuple[str, Make]]] = {
    "process": (
        (_GONE, _says("process.up{o}target{c} == 0")),
        (r"(?:does )?exists?", _says("process.up{o}target{c} == 1")),
        (r"changed pid", _says("changes(process.generation{o}target{c}, {window}) > 0")),
        (rf"(?:total ?)?cpu(?: usage)? {_OP} {_NUMBER}%", _own_cpu),
        (rf"(?:total ?)?mem(?:ory)?(?: usage)? {_OP} {_NUMBER} ?(?P<unit>%|b|kb|mb|gb)?", _own_memory),
        (rf"threads {_OP} {_NUMBER}", _says("process.threads{o}target{c} {op} {number}")),
        (rf"filedescriptors {_OP} {_NUMBER}", _says("process.fds{o}target{c} {op} {number}")),
        (rf"uptime {_SPAN}", _timed("process.uptime{target}")),
        (r"zombie", _says('process.state{o}target{c} == "zombie"')),
    ),
    "system": (
        (rf"loadavg ?\((?P<span>1|5|15) ?min\)(?P<per> per core)? {_OP} {_NUMBER}", _load),
        (rf"cpu(?: usage)? {_OP} {_NUMBER}%", _says("cpu.used {op} {number}%")),
        (rf"cpu(?: usage)? ?\((?:wait|iowait)\)(?: usage)? {_OP} {_NUMBER}%", _says("cpu.iowait {op} {number}%")),
        (rf"cpu(?: usage)? ?\(steal\)(?: usage)? {_OP} {_NUMBER}%", _says("cpu.steal {op} {number}%")),
        (rf"mem(?:ory)?(?: usage)? {_OP} {_NUMBER}%", _says("memory.used {op} {number}%")),
        (rf"swap(?: usage)? {_OP} {_NUMBER}%", _says("swap.used {op} {number}%")),
        (rf"uptime {_SPAN}", _timed("host.uptime")),
    ),
    "filesystem": (
        (rf"space(?: usage)? {_OP} {_NUMBER}%", _says('disk.used{o}mount="@"{c} {op} {number}%')),
        (rf"space free {_BYTES}", _sized('disk.free_bytes{mount="@"}')),
        (rf"inodes?(?: usage)? {_OP} {_NUMBER}%", _says('disk.inodes_used{o}mount="@"{c} {op} {number}%')),
    ),
    "file": (
        (_GONE, _says("file.exists{o}target{c} == 0")),
        (r"(?:does )?exists?", _says("file.exists{o}target{c} == 1")),
        (rf"(?:timestamp|mtime|modification time) {_SPAN}", _timed("file.age{target}")),
        (rf"size {_BYTES}", _sized("file.size{target}")),
        (r"changed size", _says("changes(file.size{o}target{c}, {window}) > 0")),
        (rf"(?:failed|changed)(?: (?:md5|sha1|sha256))? checksum(?: and)?(?: expect(?: sum)?)? ?{_SUM}", _checksum),
        (r"failed perm(?:ission)? (?P<number>[0-7]{3,4})", _mode),
        ("failed (?P<which>uid|owner|gid|group) (?P<name>\x00\\d+\x00|\\S+)", _owner),
        (rf"(?P<not>not )?match {_QUOTED}", _content),
        (rf"(?P<not>)content {_OP} {_QUOTED}", _content),
    ),
    "program": (
        (rf"status {_OP} {_NUMBER}", _says("command.rc{o}target{c} {op} {number}")),
        (r"changed status", _says("changes(command.rc{o}target{c}, {window}) > 0")),
    ),
    "network": ((rf"(?P<way>upload|download) {_OP} {_NUMBER} ?(?P<unit>b|kb|mb|gb)(?:/s| ?per second)?", _rate),),
}
_PLACE = tuple(one for one in _TABLES["file"] if one[1] in {_mode, _owner} or "exist" in one[0] or "mtime" in one[0])
_TABLES = {**_TABLES, "directory": _PLACE, "fifo": _PLACE}


# ------------------------------------------------------------------------------------------------ connections


def _connection(name: str, text: str, quoted: Sequence[str]) -> Asked:
    """``failed port 80 protocol http request "/x" with timeout 10 seconds`` as a target of its own."""
    rest = text.removeprefix("failed").strip()
    took: dict[str, str] = {}

    def take(key: str, pattern: str) -> str:
        nonlocal rest
        found = re.search(rf"(?:^| )(?:and |with |use )?{pattern}(?= |$)", rest)
        if found:
            took[key] = _unquoted(found.group("v"), quoted)
            rest = (rest[: found.start()] + " " + rest[found.end() :]).strip()
        return took.get(key, "")

    if re.search(r"\b(?:unixsocket|unix)\b", rest):
        raise NoHome("Unix sockets are not asked here")
    if re.search(r"\b(?:ping|icmp|ping4|ping6)\b", rest):
        raise NoHome("hosts are not pinged here: ask a port, or an address")
    value = "(?P<v>\x00\\d+\x00|\\S+)"
    if re.search(r"\b(?:username|password)\b", rest):
        raise NoHome("it gives a name and a password: write the target yourself, headers: with {credential: NAME}")
    url, host = take("url", f"url {value}"), take("host", f"host {value}")
    port, protocol = take("port", r"port (?P<v>\d+)"), take("protocol", f"proto(?:col)? {value}")
    kind, path = take("type", f"type {value}"), take("request", f"request {value}")
    content, status = take("content", f"content (?:==|=) {value}"), take("status", r"status (?:== )?(?P<v>\d+)")
    timeout, ssl = take("timeout", r"timeout (?P<v>\d+)(?: seconds?)?"), take("ssl", r"(?P<v>ssl|tls)")
    take("retry", r"retry (?P<v>\d+)")
    if kind == "udp" or rest.strip(" :"):
        raise NoHome(f"nothing here asks that way: {'udp' if kind == 'udp' else _clear(rest, quoted)}")
    secure = bool(ssl) or kind in {"tcpssl", "ssl"} or protocol == "https" or url.startswith("https")
    common = {"timeout": f"{timeout}s"} if timeout else {}
    if url or protocol in {"http", "https"}:
        return _web(
            url or _url(host or "@", port, path, secure=secure), content, status, common, retried="retry" in took
        )
    guess = (
        ""
        if protocol in _PROTOCOLS and not secure
        else f"only that the port takes connections, not that it speaks {protocol or 'TLS'}"
    )
    target = {"kind": "tcp", "name": name, "host": host or "@", "port": int(port or 0), **common}
    return Asked(when='tcp.ok{target="#"} == 0', target=target, guess=guess)


def _web(url: str, content: str, status: str, common: Mapping[str, Any], *, retried: bool) -> Asked:
    expect: dict[str, Any] = {"status": int(status)} if status else {}
    if content and not _PLAIN.match(content):
        raise NoHome("plain text is looked for in answers here, and this is a pattern")
    if content:
        expect["body"] = content
    target = {"kind": "http", "name": "", "url": url, **({"expect": expect} if expect else {}), **common}
    guess = "a look is not repeated at once: samples: say how sure to be" if retried else ""
    if not status:
        guess = guess or "any 2xx is fine here; below 400 there"
    return Asked(when='http.ok{target="#"} == 0', target=target, guess=guess)


def _url(host: str, port: str, path: str, *, secure: bool) -> str:
    where = "" if not port or port == ("443" if secure else "80") else f":{port}"
    return f"{'https' if secure else 'http'}://{host}{where}{path if path.startswith('/') else '/' + path}"


def _clear(text: str, quoted: Sequence[str]) -> str:
    return re.sub("\x00(\\d+)\x00", lambda match: f'"{quoted[int(match[1])]}"', text)[:80]
