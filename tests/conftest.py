import logging

import pytest

REAL = "tests/integration/"


def pytest_collection_modifyitems(items):
    """Side by side, files stay whole, and what starts real systems stays in one line, which begins first."""
    items.sort(key=lambda item: not item.nodeid.startswith(REAL))
    for item in items:
        file = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group("real" if file.startswith(REAL) else file))


@pytest.fixture(autouse=True)
def _logging_as_it_was():
    """A command run in this process sets logging up for itself: the next test starts with what this one found."""
    root, own = logging.getLogger(), logging.getLogger("healer")
    handlers, level = root.handlers[:], root.level
    parts = {name: one for name, one in root.manager.loggerDict.items() if isinstance(one, logging.Logger)}
    before = {name: (one.level, one.propagate, one.disabled) for name, one in parts.items()}
    own_level = own.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    own.setLevel(own_level)
    for name, one in root.manager.loggerDict.items():
        if isinstance(one, logging.Logger):
            kept, propagate, disabled = before.get(name, (logging.NOTSET, True, False))
            one.setLevel(kept)
            one.propagate, one.disabled = propagate, disabled
