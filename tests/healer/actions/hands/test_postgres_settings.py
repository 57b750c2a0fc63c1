import pytest
from doubles import postgres as double

from healer.actions.hands import postgres_settings
from healer.actions.hands.catalog import HandsOf, Services
from healer.actions.hands.postgres_settings import Setting, target_value
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.errors import ActionError, AmbiguousError
from healer.model.target import Target

GENERATION = "7710.1700000000.000000"
MEMORY = Setting(name="work_mem", value=4096.0, unit="kB", whole=True, auto=False)
TIMES = Setting(name="statement_timeout", value=0.0, unit="ms", whole=True, auto=False)
COST = Setting(name="random_page_cost", value=4.0, unit="", whole=False, auto=False)


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        (MEMORY, "+50%", 6144),
        (MEMORY, "-1024", 3072),
        (MEMORY, "5000", 5000),
        (MEMORY, "8MiB", 8192),
        (MEMORY, "+1MiB", 5120),
        (MEMORY, "1GiB", 65536),
        (MEMORY, "0", 64),
        (TIMES, "30000", 30000),
        (COST, "1.5", 64),
    ],
)
def test_a_change_is_counted_in_the_settings_own_unit_and_kept_within_bounds(setting, text, value):
    assert target_value(setting, text, 64.0, 65536.0) == value


@pytest.mark.parametrize(
    ("setting", "text"),
    [(TIMES, "+20%"), (TIMES, "-5"), (TIMES, "5MiB"), (COST, "1kB"), (MEMORY, "20%"), (MEMORY, ""), (MEMORY, "lots")],
)
def test_what_means_nothing_is_refused(setting, text):
    with pytest.raises(ActionError) as caught:
        target_value(setting, text, 0.0, 100.0)
    assert not caught.value.transient


def test_numbers_are_written_as_the_server_takes_them():
    assert MEMORY.written(6144.4) == "6144"
    assert COST.written(1.1) == "1.1"


class Server:
    """A server with one setting, which does as it is told, or not."""

    def __init__(self, value="4096", *, obeys=True, row=None, auto=False, refuses=""):
        self.value, self.obeys, self.row, self.auto, self.refuses = value, obeys, row, auto, refuses
        self.told = []

    def __call__(self, text):
        if "current_setting('server_version')" in text:
            return double.rows(("15.4", False, 1700000000.0, 60.0, True))
        if "pg_control_system" in text:
            return double.rows(("7710",))
        if "pg_settings" in text:
            return double.rows(*([(self.value, "kB", "user", "integer", self.auto)] if self.row is None else self.row))
        if text.startswith("ALTER SYSTEM"):
            self.told.append(text)
            if self.refuses:
                return double.error(self.refuses, "permission denied to set parameter", severity="ERROR")
            if self.obeys:
                self.value = text.split("= ")[1] if "=" in text else "4096"
        return double.rows(("t",))


@pytest.fixture
async def adjust(monkeypatch):
    monkeypatch.setattr(postgres_settings, "_IN_FORCE", 0.1)
    drivers = Drivers(SystemClock())
    hand = HandsOf(Services(drivers=drivers, programs=None, clock=SystemClock()))("postgres")["adjust"]

    async def run(server, generation=GENERATION, **params):
        async with double.Liar(answer=server) as liar:
            bound = {"work_mem": {"least": 1024.0, "most": 8192.0}}
            spec = {"host": str(liar.folder), "user": "healer", "timeout": 0.5, "settings": bound}
            target = Target(kind="postgres", name="main", organ="stomach", spec=spec)
            order = Order(intent="aa", target=target, params=params, timeout=2.0, generation=generation)
            if "back" not in params and params.get("setting") == "work_mem":
                assert "within 1024 and 8192" in hand.would(order)
            return await hand.act(order)

    yield run
    await drivers.close()


async def test_what_was_there_before_is_put_back_or_nothing_where_nothing_was(adjust):
    server = Server()
    done = await adjust(server, setting="work_mem", value="+50%")
    assert server.told == ['ALTER SYSTEM SET "work_mem" = 6144']
    await adjust(server, **done.undo)
    assert server.told[1:] == ['ALTER SYSTEM RESET "work_mem"']
    server = Server(auto=True)
    done = await adjust(server, setting="work_mem", value="+50%")
    await adjust(server, **done.undo)
    assert server.told[1:] == ['ALTER SYSTEM SET "work_mem" = 4096']


async def test_what_somebody_else_set_since_stays(adjust):
    server = Server()
    done = await adjust(server, setting="work_mem", value="+50%")
    server.value = "7000"
    assert "somebody else" in (await adjust(server, **done.undo)).because
    assert len(server.told) == 1


async def test_a_bound_that_is_reached_already_changes_nothing(adjust):
    server = Server("8192")
    done = await adjust(server, setting="work_mem", value="+50%")
    assert not server.told
    assert not done.undo


async def test_what_is_written_and_not_in_force_is_ambiguous(adjust):
    with pytest.raises(AmbiguousError, match="not in force"):
        await adjust(Server(obeys=False), setting="work_mem", value="+50%")


async def test_who_may_not_is_told_the_grant(adjust):
    with pytest.raises(ActionError, match="ALTER SYSTEM ON PARAMETER") as caught:
        await adjust(Server(refuses="42501"), setting="work_mem", value="+50%")
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([], "no setting"),
        ([("on", "", "user", "bool", False)], "no number"),
        ([("4096", "kB", "postmaster", "integer", False)], "restart"),
    ],
)
async def test_only_numbers_that_a_reload_changes_are_changed(adjust, row, said):
    server = Server(row=row)
    with pytest.raises(ActionError, match=said):
        await adjust(server, setting="work_mem", value="+50%")
    assert not server.told


async def test_what_is_not_declared_and_another_incarnation_are_left_alone(adjust):
    server = Server()
    for params, said in (
        ({"setting": "fsync", "value": "0"}, "not declared"),
        ({"value": "+1"}, "not declared"),
        ({"setting": "work_mem", "value": "+1", "generation": "7710.1"}, "another incarnation"),
    ):
        with pytest.raises(ActionError, match=said):
            await adjust(server, **params)
    assert not server.told
