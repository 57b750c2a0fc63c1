"""The saturation gate: what a restart cannot fix: it adds a cold start to the load, or fails for the same reason."""

from pathlib import PurePosixPath

from healer.gates.interface import Question, Refusal
from healer.model.organism import Health

DISK_FULL = 0.99
SWAP_IN = 16 * 2.0**20
"""Bytes per second read back from swap, from which the host is thrashing."""
THROTTLED = 0.5
"""Share of the periods in which a CPU quota stopped a target, from which it is the quota that is slow."""
_STARTS = frozenset({"start", "restart", "reload"})
_RELIEVES = frozenset({"failover", "quarantine"})
"""They take work away from their target instead of having it begin anew."""
_EXPIRED = ("certificate has expired", "certificate expired")
_INSTEAD = {
    "cpu": "find what uses the CPU (healer top), and stop that or give it less",
    "memory": "find what uses the memory (healer top): free some, or give it less",
    "io": "find what uses the disks, and let it wait",
}


def ask(question: Question) -> Refusal | None:
    """Refuse what cannot help, say what stands in its way, and what would help instead."""
    return _configuration(question) or _certificate(question) or _overload(question)


def _configuration(question: Question) -> Refusal | None:
    """What cannot read its configuration does not come up again, and what lives may still run on the old one."""
    check = str(question.target.spec.get("config_check", ""))
    if not check or question.action not in _STARTS:
        return None
    health, name = question.view.health(check), question.target.id
    if health is Health.FAILED:
        because = f"the configuration of {name} is not valid ({check} says so): it would not come up again"
        return Refusal(because=because, proposal=f"correct the configuration until {check} passes")
    if health is Health.UNKNOWN and question.view.health(name) is not Health.FAILED:
        because = f"nobody knows whether the configuration of {name} is valid ({check} is unknown)"
        return Refusal(because=because, proposal=f"find out why {check} cannot be run")
    return None


def _certificate(question: Question) -> Refusal | None:
    """A restart makes no certificate younger. A reload is let through: it takes a renewed one up."""
    if question.action != "restart":
        return None
    for target in dict.fromkeys((question.target.id, question.incident.partition("@")[2])):
        said = question.view.word("http.message", target)
        if any(words in said.lower() for words in _EXPIRED):
            return Refusal(
                because=f"the certificate of {target} has expired: a restart does not renew it",
                proposal=f"renew the certificate of {target}, then reload what serves it",
            )
    return None


def _overload(question: Question) -> Refusal | None:
    """What is down already gains from being started whatever the load; what merely answers slowly does not."""
    adds = question.disruptive and question.action not in _RELIEVES
    if not adds or question.view.health(question.target.id) is Health.FAILED:
        return None
    return _host(question) or _own(question)


def _host(question: Question) -> Refusal | None:
    for name, value in sorted(question.view.pressure().items()):
        mount = name.removeprefix("disk:")
        if mount != name:
            if value >= DISK_FULL and _concerns(question, mount):
                return Refusal(
                    because=f"{mount} is full ({value:.0%}): free space instead", proposal=f"free space on {mount}"
                )
        elif name == "swap":
            if value >= SWAP_IN:
                because = f"the host reads {value / 2**20:.0f} MiB/s back from swap: a restart adds to it"
                return Refusal(because=because, proposal=_INSTEAD["memory"])
        elif value > question.brakes.saturation_psi:
            because = f"{name} pressure is {value:.0%}: a restart cannot cure overload"
            return Refusal(because=because, proposal=_INSTEAD.get(name, ""))
    return None


def _concerns(question: Question, mount: str) -> bool:
    """Whether a full file system is one the target lives on; every one, where it does not say."""
    volumes = question.target.spec.get("volumes") or ()
    mounts = [name.removeprefix("disk:") for name in question.view.pressure() if name.startswith("disk:")]
    return not volumes or any(_mount_of(str(path), mounts) == mount for path in volumes)


def _mount_of(path: str, mounts: list[str]) -> str:
    """The mount point that a path lies on: the longest of those above it."""
    above = [mount for mount in mounts if PurePosixPath(path).is_relative_to(mount)]
    return max(above, key=len, default="")


def _own(question: Question) -> Refusal | None:
    """The pressure within the target's own control group: its share is too small, whatever the host has left."""
    name = question.target.id
    for what, value in sorted(question.view.strain(name).items()):
        if what == "throttled":
            if value >= THROTTLED:
                because = f"the CPU quota of {name} stops it in {value:.0%} of all periods: a restart needs even more"
                return Refusal(because=because, proposal=f"raise the CPU quota of {name}")
        elif value > question.brakes.saturation_psi:
            because = f"{what} pressure within {name} is {value:.0%}: a restart cannot cure overload"
            return Refusal(because=because, proposal=f"give {name} more {what}, or less to do")
    return None
