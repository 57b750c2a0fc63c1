"""Where the files that ship beside the code are: in the wheel, or in the checkout."""

from pathlib import Path
from typing import Literal

from healer.errors import HealerError

_PACKAGE = Path(__file__).resolve().parent


def path(name: Literal["organism.yaml", "rules", "systemd"]) -> Path:
    """Find one shipped file or folder, as an absolute path.

    A wheel carries it in ``healer/_shipped``; an editable install does not, and has the checkout.
    Raises HealerError when it is in neither place: the installation is damaged.
    """
    # The wheel's own copy first: beside an installed package lie other people's files.
    for folder in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    raise HealerError(f"{name} is missing from this installation of healer", hint="install it again")
