"""supervisord.conf: programs become programs, and what restarts them a rule."""

import re
import shlex
from collections.abc import Mapping

from healer.importing import secrets
from healer.importing.harvest import Harvest, Made, duration, name, without_none
from healer.importing.ini import Section, Setting, parse
from healer.model.verbs import SIGNALS
from healer.yamldoc.mark import Mark, Problems

_EXPANSION = re.compile(r"%\((\w+)\)(0?\d*[sd])|%%")
_TRUE = frozenset({"true", "yes", "on", "1"})
_MOST_PROCESSES = 200
_OUTPUT = ("stdout_", "stderr_", "redirect_stderr", "syslog")
_PARENTS = {
    "supervisord": "the agent itself is set up in organism.yaml and by systemd",
    "supervisorctl": "healer finds the agent's socket by itself",
    "unix_http_server": "the agent's own socket is api.socket; who may use it is decided by the file's owner",
    "inet_http_server": "the agent's own port is api.tcp, on loopback only",
    "eventlistener": "it speaks supervisord's own protocol: write a rule, or subscribe to the agent's events",
    "fcgi-program": "a socket shared by several processes has no home here: let the program open its own",
    "rpcinterface": "it is a plug-in of supervisord",
    "ctlplugin": "it is a plug-in of supervisord",
    "include": "",
}
_NO_HOME = {
    "priority": "the order of starting follows requires:",
    "umask": "a program keeps the agent's umask",
    "serverurl": "there is no such server",
    "directory": "",
}


def read(text: str, file: str, harvest: Harvest, problems: Problems) -> None:
    """Add everything in one supervisord.conf."""
    sections = parse(text, file, problems)
    groups = _groups(sections, harvest)
    for section in sections:
        if section.kind == "program":
            _Program(section, groups.get(section.own, ()), harvest).take()
        elif section.kind not in {"group", "include"}:
            because = _PARENTS.get(section.kind, "nothing here is like it")
            harvest.left(section.mark, f"[{section.name}]", because)
            _settings_left(section, harvest, because)


def includes(text: str, file: str) -> list[Setting]:
    """The patterns that ``[include] files=`` names."""
    sections = (one for one in parse(text, file, Problems()) if one.name == "include")
    return [
        Setting(value=pattern, mark=setting.mark)
        for section in sections
        for key, setting in section.settings.items()
        if key == "files"
        for pattern in setting.value.split()
    ]


def _settings_left(section: Section, harvest: Harvest, because: str) -> None:
    for key, setting in section.settings.items():
        if secrets.is_secret(key):
            harvest.credential(f"{section.name}-{key}", setting.value)
        harvest.left(setting.mark, f"[{section.name}] {key}", because)


def _groups(sections: list[Section], harvest: Harvest) -> Mapping[str, tuple[str, ...]]:
    """Program to the groups it is in."""
    found: dict[str, tuple[str, ...]] = {}
    known = {one.own for one in sections if one.kind == "program"}
    for section in sections:
        if section.kind != "group":
            continue
        for key, setting in section.settings.items():
            if key != "programs":
                harvest.left(setting.mark, f"[{section.name}] {key}", "the order of starting follows requires:")
                continue
            members = [one.strip() for one in setting.value.split(",") if one.strip()]
            for member in members:
                found[member] = (*found.get(member, ()), name(section.own))
            if strangers := [one for one in members if one not in known]:
                harvest.left(setting.mark, f"[{section.name}] {', '.join(strangers)}", "no such program in these files")
            harvest.carried(setting.mark, f"[{section.name}] programs", f"groups: [{name(section.own)}]")
        harvest.carried(section.mark, f"[{section.name}]", "a group its programs are members of")
    return found


class _Expansions(Exception):
    """A text that only supervisord can complete."""


class _Program:
    """One ``[program:x]``: one program, or as many as ``numprocs`` says."""

    def __init__(self, section: Section, groups: tuple[str, ...], harvest: Harvest) -> None:
        self._section = section
        self._groups = groups
        self._harvest = harvest
        self._seen: set[str] = set()
        self._missing: list[str] = []
        self._says: list[str] = []
        self._told: set[str] = set()

    def take(self) -> None:
        """Add the programs and the rules for them."""
        count, first = self._number("numprocs", 1), self._number("numprocs_start", 0)
        if not 1 <= count <= _MOST_PROCESSES:
            self._missing.append(f"numprocs={count}: at most {_MOST_PROCESSES} are written out")
            count = 1
        pattern = self._text("process_name", "%(program_name)s")
        if count > 1:
            self._note("numprocs", f"{count} programs, each with its own rule")
        names = [self._one(first + index, pattern) for index in range(count)]
        self._rule(names)
        self._rest()
        if self._missing:
            self._harvest.left(self._section.mark, f"[{self._section.name}]", "; ".join(self._missing))
        else:
            self._harvest.carried(self._section.mark, f"[{self._section.name}]", f"programs: {', '.join(names[:3])}")

    def _one(self, number: int, pattern: str) -> str:
        missing: list[str] = []
        own = {"program_name": self._section.own, "group_name": (self._groups or (self._section.own,))[0]}

        def full(key: str, default: str) -> str:
            try:
                return _expanded(self._text(key, default), {**own, "process_num": str(number)})
            except _Expansions as exc:
                missing.append(f"{key}: {exc}")
                return default

        try:
            called = name(_expanded(pattern, {**own, "process_num": str(number)}))
        except _Expansions as exc:
            missing.append(f"process_name: {exc}")
            called = name(f"{self._section.own}-{number}")
        body = {
            "name": called,
            "command": self._command(full("command", ""), missing),
            "cwd": self._directory(full("directory", ""), missing),
            "env": self._environment(full("environment", ""), missing),
            "user": self._user(),
            "autostart": None if self._flag("autostart", default=True) else False,
            "stop": self._stop(),
            "groups": list(self._groups),
        }
        fresh = [one for one in missing if one not in self._missing]
        self._missing += fresh
        for text in fresh:
            key = text.partition(":")[0]
            self._told.add(key)
            self._harvest.left(self._mark(key), f"[{self._section.name}] {text}", "incomplete without it")
        made = Made(
            body=without_none(body),
            mark=self._section.mark,
            missing=list(dict.fromkeys([*self._missing, *missing])),
            says=list(self._says),
        )
        self._harvest.programs.append(made)
        return called

    # -------------------------------------------------------------------------------------- single settings

    def _text(self, key: str, default: str = "") -> str:
        self._seen.add(key)
        setting = self._section.settings.get(key)
        return setting.value if setting else default

    def _mark(self, key: str) -> Mark:
        setting = self._section.settings.get(key)
        return setting.mark if setting else self._section.mark

    def _note(self, key: str, because: str = "", *, changed: bool = False) -> None:
        """Account for a setting once, if it was written at all."""
        self._seen.add(key)
        if key not in self._section.settings or key in self._told:
            return
        self._told.add(key)
        note = self._harvest.changed if changed else self._harvest.carried
        note(self._mark(key), f"[{self._section.name}] {key}", because)

    def _number(self, key: str, default: int) -> int:
        text = self._text(key)
        if not text:
            return default
        if not re.fullmatch(r"\d{1,6}", text):
            self._harvest.left(self._mark(key), f"[{self._section.name}] {key}", f"not a number: {text[:40]!r}")
            return default
        return int(text)

    def _flag(self, key: str, *, default: bool) -> bool:
        text = self._text(key)
        self._note(key)
        return text.lower() in _TRUE if text else default

    def _command(self, text: str, missing: list[str]) -> list[str]:
        clean, secret = secrets.without(self._harvest, text, self._mark("command"), f"{self._section.own}-command")
        if secret:
            missing.append("command: it holds a secret; let the program read a file")
        try:
            argv = shlex.split(clean)
        except ValueError as exc:
            missing.append(f"command: {exc}")
            argv = []
        if not argv:
            missing.append("command: there is none")
        if any(mark in argv for mark in ("&&", "||", "|", ";", ">", ">>", "<")):
            self._harvest.changed(
                self._mark("command"), f"[{self._section.name}] command", "there is no shell, and there was none"
            )
        if not missing:
            self._note("command")
        return argv

    def _directory(self, text: str, missing: list[str]) -> str:
        if text and not text.startswith("/"):
            missing.append("directory: not an absolute path")
        self._note("directory", "cwd")
        return text

    def _environment(self, text: str, missing: list[str]) -> dict[str, str]:
        mark, found = self._mark("environment"), {}
        try:
            pairs = _pairs(text)
        except ValueError as exc:
            missing.append(f"environment: {exc}")
            pairs = []
        for key, value in pairs:
            clean, held = secrets.without(self._harvest, value, mark, f"{self._section.own}-{key}")
            if held or secrets.is_secret(key):
                named = self._harvest.credential(f"{self._section.own}-{key}", value)
                because = f"secrets are named, never written: hand {{credential: {named}}} to it as a file"
                if not held:
                    self._harvest.left(mark, f"[{self._section.name}] environment {key}", because)
                self._say(f"{key} is left out: a secret. systemd can hand it over: LoadCredential={named}:...")
            else:
                found[key] = clean
        self._note("environment", "env")
        return found

    def _say(self, text: str) -> None:
        if text not in self._says:
            self._says.append(text)

    def _user(self) -> str:
        self._note("user")
        return self._text("user")

    def _stop(self) -> dict[str, str]:
        given = self._text("stopsignal", "TERM").upper().removeprefix("SIG")
        wait = self._number("stopwaitsecs", 10)
        if given not in SIGNALS:
            self._harvest.left(
                self._mark("stopsignal"), f"[{self._section.name}] stopsignal", f"no signal {given[:20]}"
            )
            given = "TERM"
        else:
            self._note("stopsignal", "stop.signal")
        self._note("stopwaitsecs", "stop.grace")
        for key in ("stopasgroup", "killasgroup"):
            self._text(key)
            self._note(key, "signals always go to the whole group here", changed=True)
        return {"signal": given, "grace": duration(min(wait, 3600))}

    def _rest(self) -> None:
        """What has no home, and what nobody knows."""
        for key, setting in self._section.settings.items():
            what = f"[{self._section.name}] {key}"
            if key.startswith(_OUTPUT):
                self._harvest.left(setting.mark, what, "output goes to the agent's state folder or the journal")
            elif key in _NO_HOME and key not in self._seen:
                self._harvest.left(setting.mark, what, _NO_HOME[key])
            elif key not in self._seen:
                self._harvest.left(setting.mark, what, "no setting of supervisord that is known here")
            else:
                self._note(key)

    # -------------------------------------------------------------------------------------- the rule

    def _rule(self, names: list[str]) -> None:
        when = "program.up{target} == 0 and program.wanted{target} == 1"
        again = self._text("autorestart", "unexpected").lower()
        codes = [int(code) for code in re.findall(r"\d+", self._text("exitcodes", "0"))]
        retries, seconds = self._number("startretries", 3), self._number("startsecs", 1)
        if again not in _TRUE | {"unexpected"}:
            self._note("autorestart", "no rule restarts it; the shipped rule program-died would, if you load it")
            self._note("exitcodes", "not needed: nothing restarts it")
            return
        if again == "unexpected":
            when += "".join(f" and program.exit_code{{target}} != {code}" for code in codes)
            self._note("exitcodes", "in the rule's condition; a killed program has 128 and the signal's number")
        self._note("autorestart", "a rule restarts it")
        self._note("startsecs", "verify.stable_for")
        because = "it limits all restarts within ten minutes here, not only starts that failed in a row"
        self._note("startretries", because, changed=True)
        if "exitcodes" in self._section.settings and again in _TRUE:
            self._note("exitcodes", "not needed: it is restarted whatever the code")
        for called in names:
            self._harvest.rules.append(self._restart(called, when, max(1, min(retries, 10_000)), seconds))

    def _restart(self, called: str, when: str, most: int, seconds: int) -> Made:
        seconds = min(seconds, 86400)
        verify = {
            "when": "program.up{target} == 1",
            "within": duration(max(30, 2 * seconds)),
            "stable_for": duration(seconds),
        }
        body = {
            "id": self._harvest.rule_id(f"{called}-exited"),
            "name": f"{called} exited",
            "tags": ["imported"],
            "priority": "high",
            "target": f"program:{called}",
            "when": when,
            "clear": "program.up{target} == 1",
            "mode": self._harvest.mode,
            "cooldown": "1s",
            "limits": [{"max": most, "per": "10m"}],
            "backoff": {"initial": "1s", "factor": 2, "max": "1m"},
            "then": [{"restart": {}, "timeout": "1m", "verify": verify}],
        }
        missing = [f"program:{called} is incomplete"] if self._missing else []
        return Made(body=body, mark=self._mark("autorestart"), missing=missing)


def _expanded(text: str, known: Mapping[str, str]) -> str:
    """A text with ``%(name)s`` filled in; raises _Expansions for one that only supervisord's own process knows."""

    def fill(match: re.Match[str]) -> str:
        key, form = match.group(1), match.group(2)
        if key is None:
            return "%"
        if key not in known:
            raise _Expansions(f"%({key})s is known only where supervisord runs: write its value")
        return known[key].zfill(int(form[:-1] or 0)) if form.endswith("d") and known[key].isdigit() else known[key]

    return _EXPANSION.sub(fill, text)


def _pairs(text: str) -> list[tuple[str, str]]:
    """``KEY="value",OTHER=value``; raises ValueError."""
    lexer = shlex.shlex(text.replace("\n", " "), posix=True)
    lexer.wordchars += "/.+-():*?%@~$!&^{}[]|\\<>#`"
    lexer.commenters = ""
    words = [word for word in lexer if word != ","]
    if len(words) % 3 or any(words[index + 1] != "=" for index in range(0, len(words), 3)):
        raise ValueError('expected KEY="value",KEY="value"')
    return [(words[index], words[index + 2]) for index in range(0, len(words), 3)]
