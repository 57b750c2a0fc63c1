"""systemd's services that somebody enabled and that run now; not those a host brings along for itself."""

import re
from collections.abc import Callable, Iterator, Mapping

from healer.cli.proposing.proposal import Proposal, clean, organ_of

Run = Callable[[list[str]], list[str]]
"""Runs a command and gives its lines; none where it failed."""

_PLUMBING = re.compile(
    r"(systemd-|.*getty@|console-|user@|user-runtime|dbus|polkit|udisks|ModemManager|accounts-daemon|networking"
    r"|NetworkManager|wpa_supplicant|networkd-|keyboard|kmod|lvm2|blk-|multipath|snapd|cloud-|qemu-|vmtoolsd"
    r"|open-vm|unattended|apt-|packagekit|upower|rtkit|avahi|bluetooth|cups|colord|gdm|lightdm|plymouth|thermald"
    r"|irqbalance|haveged|rngd|fwupd|bolt|switcheroo|power-profiles|healer|containerd)"
)
_ENABLED = frozenset({"enabled", "enabled-runtime", "linked", "linked-runtime"})
_SHOWN = "Id,UnitFileState,SubState,MainPID,Description"


def units(run: Run) -> Iterator[Proposal]:
    """A proposal for each of them."""
    for found in services(run):
        name = found["Id"]
        says = f"enabled and running: {found.get('Description') or name}"
        keys = {} if clean(name) == name else {"unit": name}
        yield Proposal(kind="unit", name=clean(name), organ=organ_of(name), because=says, keys=keys)


def services(run: Run) -> list[Mapping[str, str]]:
    """What systemd says of each service that is enabled, runs and matters."""
    listing = ["systemctl", "list-units", "--type=service", "--state=running", "--plain", "--no-legend", "--no-pager"]
    names = [line.split()[0] for line in run(listing) if line.split()]
    wanted = [name for name in names if name.endswith(".service") and not _PLUMBING.match(name)]
    if not wanted:
        return []
    shown = blocks(run(["systemctl", "show", "--no-pager", f"--property={_SHOWN}", "--", *wanted]))
    return [one for one in shown if one.get("UnitFileState") in _ENABLED and one.get("Id") in wanted]


def blocks(lines: list[str]) -> list[dict[str, str]]:
    """Properties of several units, as ``systemctl show`` prints them: one unit begins where a property comes again."""
    found: list[dict[str, str]] = []
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals:
            continue
        if not found or key in found[-1]:
            found.append({})
        found[-1][key] = value
    return found
