import importlib
import subprocess
import sys

import pytest

from healer.drivers.leaving_out import leaving_out

NAME = "xml.dom.pulldom"


@pytest.fixture(autouse=True)
def _unloaded():
    sys.modules.pop(NAME, None)
    yield
    sys.modules.pop(NAME, None)


def test_what_is_left_out_cannot_be_loaded_until_the_end():
    with leaving_out(NAME, of="none.such"), pytest.raises(ModuleNotFoundError):
        importlib.import_module(NAME)
    assert importlib.import_module(NAME)


def test_what_is_loaded_already_stays():
    found = importlib.import_module(NAME)
    with leaving_out(NAME, of="none.such"):
        assert importlib.import_module(NAME) is found
    assert sys.modules[NAME] is found


def test_nothing_is_left_out_once_the_library_is_there():
    with leaving_out(NAME, of="sys"):
        assert importlib.import_module(NAME)


def test_it_ends_with_a_failure_too():
    with pytest.raises(RuntimeError), leaving_out(NAME, of="none.such"):
        raise RuntimeError
    assert NAME not in sys.modules


@pytest.mark.parametrize(
    ("load", "never"),
    [
        ("from healer.drivers.http import _load; _load()", {"httpx._main", "rich", "pygments"}),
        ("from healer.drivers.docker_engine import _load; _load()", {"charset_normalizer", "chardet"}),
    ],
)
def test_the_libraries_that_are_given_come_without_what_nobody_uses(load, never):
    code = f"import sys; {load}; print(*{never!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
