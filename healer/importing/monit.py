"""Monit's control file: checks become targets, their ifs rules, and cycles the interval between two looks."""

import re
from collections.abc import Mapping
from typing import Any

from healer.importing import hands, secrets
from healer.importing.harvest import Harvest, Made, duration, name, without_none
from healer.importing.monit_hands import Hands
from healer.importing.monit_settings import OTHERS, cycle_of, take, window
from healer.importing.monit_tests import Asked, NoHome, understood
from healer.importing.monit_words import Block, Word, Words, blocks, said, words
from healer.yamldoc.mark import Mark, Problems

_KINDS = {"process": "process", "file": "file", "fifo": "file", "directory": "file", "program": "command"}


def read(text: str, file: str, harvest: Harvest, problems: Problems) -> None:
    """Add everything in one control file."""
    found = blocks(words(text, file, problems))
    cycle = cycle_of(found, harvest)
    names: dict[str, str] = {}
    checks = []
    for block in found:
        kind = block.head[0].low
        if kind == "check":
            checks.append(_Check(block, cycle, harvest, names))
        elif kind == "set":
            take(block, harvest)
        elif kind != "include":
            problems.add(block.mark, f"expected set, include or check, found {said(block.head, 40)}", "is this Monit?")
    for check in checks:
        check.take()
    for check in checks:
        check.depend()


def includes(text: str, file: str) -> list[Word]:
    """What ``include`` names."""
    return [
        block.head[1]
        for block in blocks(words(text, file, Problems()))
        if block.head[0].low == "include" and len(block.head) > 1
    ]


class _Check:
    """One ``check`` with all that stands in it."""

    def __init__(self, block: Block, cycle: float, harvest: Harvest, names: dict[str, str]) -> None:
        low = [word.low for word in block.head]
        self._block = block
        self._harvest = harvest
        self._names = names
        self._kind = low[1] if len(low) > 1 else ""
        self._name = block.head[2].text if len(block.head) > 2 else ""
        self._cycle = cycle
        self._seconds = cycle
        self._target = ""
        self._made: Made | None = None
        self._own: list[Made] = []
        self._hands = Hands(harvest, self._name, self._kind)
        self._limit: dict[str, Any] | None = None
        self._when: dict[str, Any] = {}
        self._missing: list[str] = []

    # ------------------------------------------------------------------------------------------ the check

    def take(self) -> None:
        """Add its target and its rules."""
        self._settings_first()
        self._declare()
        before = len(self._harvest.rules)
        for statement in self._block.body:
            if statement[0].low == "if":
                self._if(statement)
        self._unasked()
        for made in self._harvest.rules[before:]:
            made.body |= self._when
            if self._limit and any("run" in step for step in made.body.get("then", ())):
                made.body["limits"] = [self._limit]
        shown = said(self._block.head)
        if self._missing:
            self._harvest.left(self._block.mark, shown, "; ".join(self._missing))
        else:
            because = self._target or "the host itself"
            self._harvest.carried(self._block.mark, shown, because)

    def _head(self, *keys: str) -> str:
        low = [word.low for word in self._block.head]
        for key in keys:
            if key in low[3:] and low.index(key, 3) + 1 < len(low):
                return self._block.head[low.index(key, 3) + 1].text
        return ""

    def _declare(self) -> None:
        kind = _KINDS.get(self._kind)
        keys = self._keys()
        if kind is None or self._missing:
            self._own_place()
            return
        every = {"every": duration(max(1, self._seconds))}
        body = {"kind": kind, "name": name(self._name), **keys, **every, **self._labels()}
        self._made = Made(body=body, mark=self._block.mark)
        self._target = self._harvest.target(self._made)
        self._names[self._name] = self._target

    def _own_place(self) -> None:
        if self._kind not in {"host", "system", "filesystem", "network", *_KINDS}:
            self._missing.append(f"no kind of check {self._kind[:40]!r} is known here")

    def _keys(self) -> dict[str, Any]:
        path = self._head("path")
        if self._kind == "process":
            return self._process()
        if self._kind == "program":
            argv, because = hands.argv(self._harvest, path, self._block.mark, f"{self._name}-command")
            if because:
                self._missing.append(f"its command: {because}")
            timeout = self._head("timeout")
            return {"argv": argv, **({"timeout": f"{timeout}s"} if timeout.isdecimal() else {})}
        if self._kind in _KINDS and not path.startswith("/"):
            self._missing.append("its path is not absolute")
        if self._kind == "filesystem" and (not path.startswith("/") or path.startswith(("/dev/", "//"))):
            self._missing.append(f"{path[:80]}: file systems are known by where they are mounted here")
        return {"path": path}

    def _process(self) -> dict[str, Any]:
        pidfile, pattern = self._head("pidfile"), self._head("matching", "match")
        if pidfile.startswith("/"):
            return {"pidfile": pidfile}
        glob = pattern.replace(".*", "*").strip("^$")
        if not pattern or re.search(r"[\\\[\](){}|+?^$]", glob):
            self._missing.append(
                "a process is found by pidfile, or by a pattern of * and ?" if pattern else "it has no pidfile"
            )
            return {}
        loose = f"{'' if pattern.startswith('^') else '*'}{glob}{'' if pattern.endswith('$') else '*'}"
        self._harvest.changed(
            self._block.mark, f"matching {pattern}", f"cmdline: {loose}: * and ? instead of a regular expression"
        )
        return {"cmdline": re.sub(r"\*+", "*", loose)}

    def _labels(self) -> dict[str, Any]:
        """Groups and mode, which stand among the statements."""
        found: dict[str, Any] = {}
        for statement in self._block.body:
            word = statement[0].low
            if word == "group" and len(statement) > 1:
                found.setdefault("groups", []).append(name(statement[1].text))
                self._harvest.carried(statement[0].mark, said(statement), "groups:")
            elif word == "mode" and len(statement) > 1:
                self._mode(statement, found)
        return found

    def _mode(self, statement: Words, found: dict[str, Any]) -> None:
        how = statement[1].low
        if how == "passive":
            found["mode"] = "observe"
            self._harvest.carried(statement[0].mark, said(statement), "mode: observe of the target")
        elif how == "active":
            self._harvest.carried(statement[0].mark, said(statement))
        else:
            self._harvest.left(statement[0].mark, said(statement), "a target is looked at from the start here")

    # ------------------------------------------------------------------------------------------ statements

    def _settings_first(self) -> None:
        for statement in self._block.body:
            word = statement[0].low
            if word in {"start", "stop", "restart"}:
                self._hands.learn(statement)
            elif word in {"every", "not"}:
                self._every(statement)
            elif word == "if" and re.match(r"if \d+ restarts? ", said(statement).lower()):
                self._restarts(statement)
            elif word in {"alert", "noalert"}:
                self._harvest.changed(statement[0].mark, said(statement), OTHERS["alert"])
            elif word == "onreboot":
                self._harvest.left(statement[0].mark, said(statement), OTHERS["onreboot"])

    def _every(self, statement: Words) -> None:
        if len(statement) > 1 and re.fullmatch(r"\d{1,4}", statement[1].text) and int(statement[1].text):
            self._seconds *= int(statement[1].text)
            self._harvest.carried(statement[0].mark, said(statement), f"every: {duration(self._seconds)}")
        elif found := window(statement[-1].text):
            excluded = statement[0].low == "not"
            self._when = {"not_in": [found]} if excluded else {"active": found}
            because = (
                f"{'not_in' if excluded else 'active'}: its rules do not act then, and it is looked at all the same"
            )
            self._harvest.changed(statement[0].mark, said(statement), because)
        else:
            self._harvest.left(statement[0].mark, said(statement), "a target is looked at in equal intervals here")

    def _restarts(self, statement: Words) -> None:
        found = re.match(r"if (\d+) restarts? (?:within )?(\d+) cycles? then (\w+)", said(statement).lower())
        if not found or not int(found[1]) or not int(found[2]):
            self._harvest.left(statement[0].mark, said(statement), "restarts are counted within a time here")
            return
        per = max(1.0, int(found[2]) * self._cycle)
        self._limit = {"max": int(found[1]), "per": duration(per), "scope": "target"}
        because = f"limits: at most {found[1]} per {duration(per)}; then it waits for room, and goes on looking"
        self._harvest.changed(statement[0].mark, said(statement), because)

    # ------------------------------------------------------------------------------------------ if

    def _if(self, statement: Words) -> None:
        low = [word.low for word in statement]
        if re.match(r"if \d+ restarts? ", said(statement).lower()):
            return
        if "then" not in low:
            self._harvest.left(statement[0].mark, said(statement), "it has no then")
            return
        then = low.index("then")
        after = low.index("else", then) if "else" in low[then:] else len(low)
        try:
            asked = understood(self._kind, name(self._name), statement[1:then], self._seconds)
            rule = self._rule(statement, asked, statement[then + 1 : after])
        except NoHome as exc:
            self._harvest.left(statement[0].mark, said(statement), str(exc))
            return
        if rule.missing:
            self._harvest.left(statement[0].mark, said(statement), "; ".join(rule.missing))
        else:
            note = self._harvest.changed if asked.guess else self._harvest.carried
            note(statement[0].mark, said(statement), asked.guess or str(rule.body.get("when", "")))
        if after < len(low):
            self._else(statement[after:], rule)
        self._harvest.rules.append(rule)

    def _unasked(self) -> None:
        """Monit starts a process that does not run, without an ``if`` that says so."""
        asked = any(re.match(r"if (?:does )?not exist|if failed exist", said(one).lower()) for one in self._block.body)
        if self._kind != "process" or asked or "start" not in self._hands.commands or not self._target:
            return
        mark = self._block.mark
        words_ = [Word(text=text, mark=mark) for text in ("if", "not", "exist", "then", "restart")]
        rule = self._rule(words_, understood("process", self._name, words_[1:3], self._seconds), words_[4:])
        self._harvest.rules.append(rule)
        if rule.missing:
            self._harvest.left(mark, "its start when it does not run", "; ".join(rule.missing))
        else:
            self._harvest.changed(mark, "its start when it does not run", "Monit does that unasked: it is a rule here")

    def _rule(self, statement: Words, asked: Asked, action: Words) -> Made:
        when, target = self._placed(asked)
        mark = statement[0].mark
        then, missing = self._hands.steps(action, when, target, statement)
        if self._missing:
            missing = [*self._missing, *missing]
        body = {
            "id": self._harvest.rule_id(
                f"{self._name} {said(statement[1 : [w.low for w in statement].index('then')], 50)}"
            ),
            "name": said(statement, 200),
            "tags": ["imported"],
            "target": target,
            "when": when,
            **self._often(asked, target, mark),
            "mode": self._harvest.mode,
            # A pause shorter than the time between two looks would hold nothing back.
            "cooldown": duration(2 * self._seconds)
            if self._seconds > 30 and any("run" in one for one in then)
            else None,
            "then": then,
        }
        return Made(body=without_none(body), mark=mark, missing=missing)

    def _often(self, asked: Asked, target: str, mark: Mark) -> dict[str, Any]:
        """How sure to be: by count where a look is a cycle, by time where the host is looked at more often."""
        if not asked.samples:
            return {}
        if target:
            return {"samples": dict(asked.samples)}
        bad, of = asked.samples["bad"], asked.samples["of"]
        if bad < of:
            self._harvest.changed(
                mark, f"{bad} times within {of} cycles", f"for {duration(bad * self._seconds)} without a break"
            )
        return {"for": duration(bad * self._seconds)}

    def _placed(self, asked: Asked) -> tuple[str, str]:
        """The condition with its target in it, and the target the rule is about."""
        if asked.target is not None:
            target = self._probe(asked.target)
            return asked.when.replace("#", target), self._target or target
        if self._made is not None:
            for key, value in asked.keys.items():
                if self._made.body.setdefault(key, value) != value:
                    raise NoHome(f"two different {key} of one file: declare the file twice")
        place = self._head("path") if self._kind == "filesystem" else self._head("interface") or self._name
        if re.search(r'["\\\n]', place):
            raise NoHome("a path with quotes in it")
        return asked.when.replace('"@"', f'"{place}"'), self._target

    def _probe(self, given: Mapping[str, Any]) -> str:
        body = dict(given)
        address = self._head("address") or "127.0.0.1"
        shown = f"[{address}]" if ":" in address else address
        for key in ("url", "host"):
            if key in body:
                body[key] = (
                    body[key].replace("@", shown if key == "url" else address)
                    if "://@" in body[key] or body[key] == "@"
                    else body[key]
                )
        if "url" in body:
            body["url"], held = secrets.without(self._harvest, body["url"], self._block.mark, f"{self._name}-url")
            if held:
                raise NoHome("its address holds a secret: send it in a header, {credential: NAME}")
        if body["kind"] == "tcp" and not body["port"]:
            raise NoHome("it has no port")
        body["name"] = self._free(body)
        body["every"] = duration(max(1, self._seconds))
        if not self._made:
            body |= self._labels()
        made = Made(body=body, mark=self._block.mark)
        target = self._harvest.target(made)
        self._own.append(made)
        self._names.setdefault(self._name, target)
        return target

    def _free(self, body: Mapping[str, Any]) -> str:
        """A name for a probe that no other one of its kind has, unless it asks the very same."""
        stem, number = name(self._name), 1
        found = stem
        while True:
            same = self._harvest.declared(f"{body['kind']}:{found}")
            if same is None or all(same.body.get(key) == body.get(key) for key in ("url", "host", "port", "expect")):
                return found
            number += 1
            found = f"{stem}-{body.get('port') or number}" if number == 2 else f"{stem}-{number}"

    def _else(self, statement: Words, rule: Made) -> None:
        low = [word.low for word in statement]
        action = statement[low.index("then") + 1 :] if "then" in low else statement[1:]
        mark = statement[0].mark
        if action and action[0].low == "alert":
            rule.body["on_recovered"] = [{"notify": {"message": f"{self._name}: over", "severity": "info"}}]
            self._harvest.carried(mark, said(statement), "on_recovered: notify")
        elif action and action[0].low == "exec" and (step := self._hands.run(action)):
            rule.body["on_recovered"] = [step]
            self._harvest.carried(mark, said(statement), "on_recovered: run")
        else:
            self._harvest.left(
                mark, said(statement), "when it is over, people can be told and commands run; nothing is touched"
            )

    # ------------------------------------------------------------------------------------------ depends

    def depend(self) -> None:
        """Say what its targets need, once all checks are known."""
        for statement in self._block.body:
            if statement[0].low not in {"depend", "depends"}:
                continue
            wanted = [word.text for word in statement[1:] if word.text != "," and word.low != "on"]
            known = [self._names[one] for one in wanted if one in self._names]
            strangers = [one for one in wanted if one not in self._names]
            made = self._own[:1] if self._made is None else [self._made]
            if made and known:
                made[0].body["requires"] = [one for one in known if one != self._target]
            if strangers or not made:
                because = (
                    f"no target here is like {', '.join(strangers)}"
                    if strangers
                    else "the host itself requires nothing"
                )
                self._harvest.left(statement[0].mark, said(statement), because)
            else:
                self._harvest.carried(statement[0].mark, said(statement), "requires:")
