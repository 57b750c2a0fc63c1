"""Load a library without a part of it that costs memory and that nobody here uses."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def leaving_out(*names: str, of: str) -> Iterator[None]:
    """Have modules of these names count as not installed while ``of`` is loaded the first time.

    Only for what that library itself tries and can do without. For the moment it takes it holds for every thread; what
    is loaded already stays.
    """
    out = [] if of in sys.modules else [name for name in names if name not in sys.modules]
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    modules.update(dict.fromkeys(out))  # None: the import statement's own word for "there is none"
    try:
        yield
    finally:
        for name in out:
            if name in modules and modules[name] is None:
                del modules[name]
