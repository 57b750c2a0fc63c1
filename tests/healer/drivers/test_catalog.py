"""One driver for each system, made when first needed, replaced when its keys change, closed when its target goes."""

import subprocess
import sys

import pytest

from healer.clock import SystemClock
from healer.drivers import catalog
from healer.drivers.catalog import Drivers
from healer.drivers.interface import Driver, DriverStatus, LinkState
from healer.errors import HealerError
from healer.model.target import Target

FOREIGN = {"docker", "httpx", "dbus_fast", "psycopg", "redis", "dns", "prometheus_client", "apprise"}


class Fake(Driver):
    def __init__(self, target, _drivers):
        self.name = target.id
        self.closed = False

    def status(self):
        return DriverStatus(name=self.name, state=LinkState.IDLE, since=0.0)

    async def health(self):
        """Always."""

    async def close(self):
        self.closed = True


def target(name="a", **spec):
    return Target(kind="fake", name=name, organ="heart", spec=spec)


@pytest.fixture
def drivers(monkeypatch):
    monkeypatch.setattr(catalog, "MAKERS", {"fake": Fake})
    return Drivers(SystemClock())


async def test_a_sensor_and_a_hand_share_one_driver(drivers):
    assert drivers.of(target()) is drivers.of(target())
    assert drivers.of(target("b")) is not drivers.of(target())
    assert {"fake:a", "fake:b"} <= {one.name for one in drivers.status()}


async def test_new_keys_are_a_new_driver_and_the_old_one_goes_after_the_reload(drivers):
    old = drivers.of(target(port=1))
    new = drivers.of(target(port=2))
    assert new is not old
    assert not old.closed  # the sensors of before still use it
    await drivers.keep([target(port=2)])
    assert old.closed
    assert not new.closed
    await drivers.keep([])
    assert new.closed


async def test_a_kind_that_is_no_system_has_none(drivers):
    with pytest.raises(HealerError, match="no driver for kind 'file'"):
        drivers.of(Target(kind="file", name="x", organ="heart"))


async def test_all_are_closed_at_the_end(drivers):
    made = [drivers.of(target("a")), drivers.of(target("b"))]
    await drivers.close()
    assert [one.closed for one in made] == [True, True]


def test_no_library_of_a_system_is_loaded_before_it_is_used():
    code = (
        "import sys\n"
        "from healer.clock import SystemClock\n"
        "from healer.drivers.catalog import Drivers\n"
        "from healer.app.parts import Parts\n"
        "Drivers(SystemClock())\n"
        f"print(sorted({FOREIGN!r} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_journal_has_one_driver_for_all_who_want_entries_of_it():
    drivers = Drivers(SystemClock())
    assert not [one for one in drivers.status() if one.name.startswith("journal")]
    assert drivers.journal() is drivers.journal("")
    assert drivers.journal("/elsewhere") is not drivers.journal()
    assert {"journal", "journal:/elsewhere"} <= {one.name for one in drivers.status()}
    await drivers.close()
    assert drivers.journal().status().state is LinkState.CLOSED
