"""Run the auditor's commands, also from a bare copy of this folder (``python3 -I -S audit verify LOG``)."""

import sys


def _adopt_this_folder() -> None:
    """Make ``import audit`` mean the folder this file lies in.

    Another package named ``audit`` exists on hosts with SELinux tools, and the folder's parent may hold files that
    shadow the standard library, so neither joins ``sys.path``.
    """
    import importlib.util
    from pathlib import Path

    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != here]
    spec = importlib.util.spec_from_file_location("audit", here / "__init__.py", submodule_search_locations=[str(here)])
    if spec is None or spec.loader is None:
        sys.exit(f"{here} does not hold the auditor's files")
    package = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = package
    spec.loader.exec_module(package)


if not __package__:
    _adopt_this_folder()

from audit.cli import main  # noqa: E402 - the package must be adopted first

if __name__ == "__main__":
    sys.exit(main())
