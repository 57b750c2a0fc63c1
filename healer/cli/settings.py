"""What every command understands: where the agent is, and how to say things."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from healer.api.where import SERVICE_STATES, candidates, state_folder


@dataclass(slots=True)
class Settings:
    """The options of this call, those before the command's name and those after it."""

    output: str = "table"
    no_color: bool = False
    state_dir: str | None = None
    config: str | None = None
    log_level: str = "warning"

    @property
    def json(self) -> bool:
        """Whether a program reads what we print."""
        return self.output == "json"

    @property
    def color(self) -> bool:
        """Whether a person on a terminal reads it, who did not ask for plain text (no-color.org)."""
        return not self.no_color and not os.environ.get("NO_COLOR") and sys.stdout.isatty()

    @property
    def state(self) -> Path:
        """The state folder meant."""
        return state_folder(self.state_dir, os.environ)

    @property
    def log(self) -> Path:
        """The state folder whose log is meant: the one named, else the first that holds one."""
        from audit.opening import has_log

        named = self.state_dir or os.environ.get("STATE_DIRECTORY")
        folders = (self.state,) if named else (self.state, *SERVICE_STATES)
        return next((folder for folder in folders if has_log(folder)), self.state)

    @property
    def sockets(self) -> list[Path]:
        """Where an agent may listen, in the order worth trying."""
        found = list(candidates(self.state_dir, os.environ))
        if configured := self._configured():
            found.insert(0, configured)
        return found

    def _configured(self) -> Path | None:
        """``api.socket`` of a configuration that was named; reading another one for it would cost every call."""
        named = self.config or os.environ.get("HEALER_CONFIG")
        if not named or self.state_dir:
            return None
        from healer.config import load_config

        socket = load_config(Path(named), environ=os.environ).api.socket
        return Path(socket) if socket else None


def settings() -> Settings:
    """The options of the command that runs now."""
    return click.get_current_context().ensure_object(Settings)


def _set(ctx: click.Context, param: click.Parameter, value: object) -> None:
    # Given before the command's name or after it: the later one wins, and a default never does.
    if value is not None and value is not False:
        setattr(ctx.ensure_object(Settings), str(param.name), value)


def _options() -> list[click.Parameter]:
    common: dict[str, Any] = {"expose_value": False, "callback": _set, "default": None}
    path = click.Path(path_type=str, readable=False)  # whoever uses it says better what is wrong with it
    return [
        click.Option(["--output"], type=click.Choice(["table", "json"]), help="How data are printed.", **common),
        click.Option(["--json", "output"], flag_value="json", help="Short for --output json.", **common),
        click.Option(["--no-color"], is_flag=True, help="Plain text (also NO_COLOR).", **common),
        click.Option(["--state-dir"], type=path, metavar="DIR", help="The agent's state folder.", **common),
        click.Option(["--config"], type=path, metavar="FILE", help="The agent's organism.yaml.", **common),
        click.Option(["--log-level"], metavar="LEVEL", help="debug, info, warning, error; PART=LEVEL,...", **common),
    ]


class Command(click.Command):
    """A command that takes the common options too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **kwargs)
        taken = {param.name for param in self.params}
        self.params += [option for option in _options() if option.name not in taken]


class Group(click.Group):
    """A group whose commands are such, and which takes the options too."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **kwargs)
        self.params += _options()
