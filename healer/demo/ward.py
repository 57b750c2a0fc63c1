"""The systems that are here, started side by side, with the organism that looks at them."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from healer.demo import victims
from healer.demo.containers import ContainerSystem
from healer.demo.databases import PostgresSystem
from healer.demo.patients import RULES, System
from healer.demo.proxies import ProxySystem
from healer.demo.units import UnitSystem

SYSTEMS: tuple[type[System], ...] = (UnitSystem, ContainerSystem, PostgresSystem, ProxySystem)


def look() -> tuple[list[type[System]], dict[str, str]]:
    """Which of them can be shown here, and of the others what is missing."""
    missing = {one.name: one.missing() for one in SYSTEMS}
    return [one for one in SYSTEMS if not missing[one.name]], {name: why for name, why in missing.items() if why}


@contextlib.contextmanager
def opened(
    kinds: Sequence[type[System]], folder: Path, token: str
) -> Iterator[tuple[list[System], list[Mapping[str, Any]]]]:
    """Start them; gives them, and the targets to look at. All is ended, whatever happens. Raises HealerError."""
    with contextlib.ExitStack() as stack:
        systems: list[System] = []
        targets: list[Mapping[str, Any]] = []
        for kind in kinds:
            own = folder / kind.name
            own.mkdir(mode=0o755)
            system = kind(own, token)
            stack.callback(system.close)
            targets += system.start()
            systems.append(system)
        yield systems, targets


def organism(targets: Sequence[Mapping[str, Any]], socket_path: str = "") -> dict[str, Any]:
    """The configuration of the agent that looks at them."""
    return {
        "node": "demo",
        "profile": "core",
        "rules": {"files": [str(RULES)], "default_mode": "observe"},
        "targets": list(targets),
        "limits": {"saturation_psi": "100%", "actions_per_hour": 1000},
        "sensors": {"self": {"every": "1s"}},
        "api": {"socket": socket_path} if socket_path else {},
    }


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """As that of the other demonstration, and where engines and buses are."""
    where = ("DOCKER_HOST", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
    return victims.environment(environ) | {name: environ[name] for name in where if name in environ}
