"""The self-harm gate: never what the host, the network or we ourselves stand on, unless it is spelled out."""

from fnmatch import fnmatchcase

from healer.gates.interface import Question, Refusal

HARMLESS = frozenset({"notify", "capture", "wait", "publish", "set_mode", "start"})
VITAL = (
    "init",
    "systemd",
    "systemd-*",
    "dbus",
    "dbus.*",
    "dbus-*",
    "ssh",
    "ssh.*",
    "sshd*",
    "network*",
    "NetworkManager*",
    "wpa_supplicant*",
    "ifup@*",
)
OURSELVES = ("healer", "healer.*", "healer-*")


def ask(question: Question) -> Refusal | None:
    """Refuse to disturb vital services by name; a program we run ourselves is never one of them."""
    if question.action in HARMLESS or question.target.kind == "program":
        return None
    name = question.target.name
    if any(fnmatchcase(name, pattern) for pattern in OURSELVES):
        return Refusal(because=f"{question.target.id} is the agent itself")
    if question.spelled_out or not any(fnmatchcase(name, pattern) for pattern in VITAL):
        return None
    return Refusal(because=f"{question.target.id} is vital to the host (i_mean_it: true in the rule spells it out)")
