"""When Monit looks, and its ``set`` statements: one gives the length of a cycle, the others are about Monit itself."""

import re
from collections.abc import Sequence

from healer.importing.harvest import Harvest
from healer.importing.monit_words import Block, said

CYCLE = 30.0
"""Seconds of a cycle where nobody says."""
_HOURS = re.compile(r"(?P<a>[0-9]{1,2})(?:-(?P<b>[0-9]{1,2}))?")
_DAYS = re.compile(r"([0-7])(?:-([0-7]))?")
_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
OTHERS = {
    "logfile": "what the agent says goes to the journal",
    "log": "what the agent says goes to the journal",
    "pidfile": "the agent has none",
    "idfile": "the agent's identity is its sealing key",
    "statefile": "the agent's state folder is --state-dir",
    "mailserver": "declare it under notify: kind: email, with host, tls, user, password by reference and sender",
    "mail-format": "messages are written in the rules",
    "alert": "alerts go to the journal; a channel of kind email under notify: with alerts: {} has them mailed",
    "eventqueue": "events are kept in the sealed log",
    "httpd": "the agent's own port is api.tcp, on loopback only; its socket needs no password",
    "mmonit": "there is no such server",
    "limits": "the agent's own limits apply",
    "onreboot": "programs have autostart; rules judge what they see after a start",
    "ssl": "TLS is always verified here, unless a target says verify_tls: false",
    "tls": "TLS is always verified here, unless a target says verify_tls: false",
    "fips": "that is for the system's libraries to say",
    "expectbuffer": "it belongs to send/expect tests, which are not carried over",
}
"""What became of settings that are none of a rule's."""
_TELLING = frozenset({"httpd", "mailserver", "mmonit"})
"""Statements with passwords in them: nothing of theirs is repeated."""


def cycle_of(found: Sequence[Block], harvest: Harvest) -> float:
    """Seconds of a cycle, as ``set daemon`` says."""
    for block in found:
        low = [word.low for word in block.head]
        if low[:2] == ["set", "daemon"] and len(low) > 2 and re.fullmatch(r"\d{1,6}", low[2]) and int(low[2]):
            harvest.carried(
                block.mark, f"set daemon {low[2]}", f"a cycle is {low[2]} s: targets are looked at so often"
            )
            if "delay" in low:
                harvest.left(block.mark, "start delay", "each target has a startup_grace instead")
            return float(low[2])
    checks = [block for block in found if block.head[0].low == "check"]
    if checks:
        harvest.changed(checks[0].mark, "cycles", f"no set daemon in this file: a cycle is taken for {CYCLE:g} s")
    return CYCLE


def take(block: Block, harvest: Harvest) -> None:
    """Account for one ``set``; its secrets are taken out."""
    word = block.head[1].low if len(block.head) > 1 else ""
    if word == "daemon":
        return
    for index, one in enumerate(block.head[:-1]):
        after = block.head[index + 1].text
        if one.low in {"password", "passphrase"}:
            harvest.credential(f"monit-{word}-password", after)
        if one.low == "allow" and ":" in after:
            harvest.credential(f"monit-{word}-password", after.partition(":")[2])
    shown = f"set {word}" if word in _TELLING else said(block.head)
    if word == "alert":
        harvest.changed(block.mark, shown, OTHERS[word])
    else:
        harvest.left(block.mark, shown, OTHERS.get(word, "nothing here is like it"))


def window(cron: str) -> dict[str, str] | None:
    """A cron line that means whole hours and days of the week, as a calendar window; None for any other.

    Hours of a cron line are inclusive: ``8-19`` ends at 20:00.
    """
    fields = cron.split()
    if len(fields) != 5 or fields[0] not in {"*", "*/1"} or fields[2:4] != ["*", "*"]:
        return None
    made = {}
    if fields[1] != "*":
        hours = [_HOURS.fullmatch(one) for one in fields[1].split(",")]
        spans = [(int(one["a"]), int(one["b"] or one["a"]) + 1) for one in hours if one]
        if len(spans) < len(hours) or len(spans) > 1 or not 0 <= spans[0][0] < spans[0][1] <= 24:
            return None
        made["hours"] = f"{spans[0][0]:02d}:00-{spans[0][1]:02d}:00"
    if fields[4] != "*":
        days = [_DAYS.fullmatch(one) for one in fields[4].split(",")]
        if not all(days):
            return None
        made["days"] = ",".join("-".join(_NAMES[int(day) % 7] for day in one.groups() if day) for one in days if one)
    return made or None
