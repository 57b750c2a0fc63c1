"""Where the agent keeps its state and where it listens: one answer for the agent and for those who look for it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

NAME = "healer.sock"
SERVICE = Path("/run/healer") / NAME
"""Where the systemd service listens."""
SERVICE_STATES = (Path("/var/lib/healer"), Path("/var/lib/healer-unprivileged"))
"""Where the systemd services keep their state."""
KILL_SWITCH = "stop-healing"
"""The file in the state folder that stops all healing."""


def state_folder(given: Path | str | None, environ: Mapping[str, str]) -> Path:
    """The state folder: the one given, $STATE_DIRECTORY (systemd's), $HEALER_STATE_DIR, else the XDG state folder."""
    if given:
        return Path(given)
    if systemd := environ.get("STATE_DIRECTORY"):
        return Path(systemd.partition(":")[0])  # systemd gives several, joined, where a unit asks for several
    if named := environ.get("HEALER_STATE_DIR"):
        return Path(named)
    base = Path(environ.get("XDG_STATE_HOME") or Path(environ.get("HOME") or "/root") / ".local" / "state")
    return base / "healer"


def listen_at(configured: str, state_dir: Path, environ: Mapping[str, str]) -> Path:
    """The socket the agent makes: ``api.socket``, else in $RUNTIME_DIRECTORY (systemd's), else in the state folder."""
    if configured:
        return Path(configured)
    if systemd := environ.get("RUNTIME_DIRECTORY"):
        return Path(systemd.partition(":")[0]) / NAME
    return state_dir / NAME


def candidates(given: Path | str | None, environ: Mapping[str, str]) -> Iterator[Path]:
    """Sockets worth trying, in order. A state folder that was named means that agent and no other."""
    yield state_folder(given, environ) / NAME
    if not given:
        yield SERVICE
