"""What tests of actions share: orders, and programs that really run."""

import os

import pytest

from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers import cgroups
from healer.drivers.programs import Programs
from healer.model.target import Target

INTENT = f"{os.getpid():064x}"
"""Children are found, and killed, by it: two runs on one machine must not find each other's."""


@pytest.fixture
def order():
    def make(params=None, *, kind="program", name="api", generation="", timeout=10.0, intent=INTENT, spec=None):
        return Order(
            intent=intent,
            target=Target(kind=kind, name=name, organ="heart", spec=spec or {}),
            params=params or {},
            timeout=timeout,
            generation=generation,
            because="it is down",
            rule="web",
            incident="web@program:api",
        )

    return make


@pytest.fixture
async def programs(tmp_path):
    made = Programs(SystemClock(), tmp_path, groups=cgroups.Cgroups(None, "not in this test"))
    made.declare([Target(kind="program", name="api", organ="heart", spec={"command": ["sleep", "60"]})])
    await made.open()
    yield made
    await made.close("stop", force=True)
