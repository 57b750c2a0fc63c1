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
    "init.scope",
    "-.slice",
    "-.mount",
    "system.slice",
    "user.slice",
    "user@*",
    "polkit*",
    "basic.target",
    "default.target",
    "graphical.target",
    "local-fs*.target",
    "multi-user.target",
    "sysinit.target",
)
POWER = tuple(
    f"{name}.target"
    for name in (
        "reboot", "soft-reboot", "poweroff", "halt", "kexec", "shutdown", "umount", "final", "exit", "ctrl-alt-del",
        "suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate", "sleep", "rescue", "emergency", "runlevel?",
    )
)  # fmt: skip
"""Units that end the host, or most of it, by being started."""
OURSELVES = ("healer", "healer.*", "healer-*")


def ask(question: Question) -> Refusal | None:
    """Refuse to disturb vital services by name; a program we run ourselves is never one of them."""
    target = question.target
    if target.kind == "program":
        return None
    # A target may have a name of its own for what systemd or the engine knows by another.
    names = {target.name, *(str(target.spec[key]) for key in ("unit", "container") if target.spec.get(key))}
    ends = target.kind == "unit" and question.action == "start" and _any(names, POWER)
    if question.action in HARMLESS and not ends:
        return None
    if _any(names, OURSELVES):
        return Refusal(because=f"{target.id} is the agent itself")
    if question.spelled_out or not (ends or _any(names, VITAL)):
        return None
    return Refusal(because=f"{target.id} is vital to the host (i_mean_it: true in the rule spells it out)")


def _any(names: set[str], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
