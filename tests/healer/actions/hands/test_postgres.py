import pytest
from doubles import postgres as double

from healer.actions.hands.catalog import HandsOf, Services
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.errors import ActionError, AmbiguousError
from healer.model.target import Target

GENERATION = "7710.1700000000.000000"
BORN, BEGAN, CHANGED = (f"2026-01-01 00:00:0{second}+00" for second in range(3))
STUCK = [
    (4001, BORN, BEGAN, CHANGED, "app", "idle in transaction", 90.0, 0.0, 0),
    (4002, BORN, BEGAN, None, "app", "active", 0.0, 70.0, 2),
]


class Story:
    """What a server says to a hand, word by word, and what it was asked."""

    def __init__(self, *, in_recovery=False, **said):
        self.said = {
            "current_setting('server_version')": [("15.4", in_recovery, 1700000000.0, 60.0, True)],
            "pg_control_system": [("7710",)],
            "WITH sessions": STUCK,
            "SELECT xact_start": [],
            "pg_cancel_backend": [(True,)],
            "pg_terminate_backend": [(True,)],
            "pg_stat_wal_receiver": [(0.0, False)],
            "pg_promote": [(True,)],
        } | said

    def __call__(self, text):
        for part, found in self.said.items():
            if part in text:
                return found if isinstance(found, bytes) or found is None else double.rows(*found)
        return double.rows()


@pytest.fixture
async def do():
    """Run a verb on a server that tells a story; returns what was done and what the server was asked."""
    drivers = Drivers(SystemClock())
    hands = HandsOf(Services(drivers=drivers, programs=None, clock=SystemClock()))("postgres")

    async def run(verb, story, spec=None, generation=GENERATION, **params):
        async with double.Liar(answer=story) as liar:
            run.liar = liar
            keys = {"host": str(liar.folder), "user": "healer", "timeout": 0.5, **(spec or {})}
            target = Target(kind="postgres", name="main", organ="stomach", spec=keys)
            given = {"at_most": 5, "older": 60.0, "max_lag": 2**24} | params
            order = Order(intent="aa", target=target, params=given, timeout=2.0, generation=generation)
            assert "postgres:main" in hands[verb].would(order) if verb in {"reconnect", "failover"} else True
            return await hands[verb].act(order)

    yield run
    await drivers.close()


def asked(do, part):
    return [text for text in do.liar.asked if part in text]


async def test_each_session_is_named_by_pid_birth_and_transaction_when_it_is_ended(do):
    done = await do("reconnect", Story())
    assert [ended["pid"] for ended in done.facts["ended"]] == [4001, 4002]
    for text in asked(do, "pg_terminate_backend"):
        assert "backend_start = $2::timestamptz" in text
        assert "xact_start IS NOT DISTINCT FROM $3::timestamptz" in text
        assert "FROM pg_stat_activity WHERE pid = $1" in text
        assert "state <> 'active' OR $4" in text
        assert "state_change = $5::timestamptz" in text
    assert not asked(do, "pg_cancel_backend")


async def test_a_session_that_changed_hands_meanwhile_is_not_counted_as_ended(do):
    done = await do("reconnect", Story(pg_terminate_backend=[]))
    assert done.facts["ended"] == []
    assert "no session is stuck any more" in done.because


async def test_nothing_stuck_is_nothing_done(do):
    done = await do("reconnect", Story(**{"WITH sessions": []}))
    assert not asked(do, "pg_terminate_backend")
    assert done.facts == {"ended": []}


async def test_cancelling_that_helps_ends_no_session(do):
    await do("reconnect", Story(**{"WITH sessions": STUCK[1:]}), cancel=True, active=True)
    assert asked(do, "pg_cancel_backend")
    assert not asked(do, "pg_terminate_backend")


async def test_who_may_not_is_told_the_grant_and_it_is_not_tried_again(do):
    refused = double.error("42501", "must be a superuser to terminate superuser process", severity="ERROR")
    with pytest.raises(ActionError, match="pg_signal_backend") as caught:
        await do("reconnect", Story(pg_terminate_backend=refused))
    assert not caught.value.transient


async def test_a_session_lost_in_the_very_moment_is_ambiguous(do):
    with pytest.raises(AmbiguousError):
        await do("reconnect", Story(pg_terminate_backend=b""))


async def test_a_session_lost_before_anything_was_done_may_be_tried_again(do):
    with pytest.raises(ActionError) as caught:
        await do("reconnect", Story(**{"WITH sessions": b""}))
    assert caught.value.transient
    assert not isinstance(caught.value, AmbiguousError)


async def test_another_incarnation_is_left_alone_by_every_verb(do):
    for verb, params in (
        ("reconnect", {}),
        ("failover", {"split_brain": True}),
        ("sql", {"statements": ["UPDATE x SET y = 1"]}),
    ):
        with pytest.raises(ActionError, match="another incarnation") as caught:
            await do(verb, Story(in_recovery=True), generation="7710.1", **params)
        assert not caught.value.transient
        assert not asked(do, "UPDATE")
        assert not asked(do, "pg_promote")


async def test_a_standby_whose_primary_is_away_is_promoted(do):
    story = Story(in_recovery=True)
    done = await do("failover", story, {"primary": {"host": "/nonexistent", "port": 1}})
    assert "is a primary now" in done.because
    assert done.generation == GENERATION


@pytest.mark.parametrize(
    ("said", "params", "because"),
    [
        ({}, {}, "no standby"),
        ({"in_recovery": True, "pg_stat_wal_receiver": [(0.0, True)]}, {}, "receives from a primary"),
        ({"in_recovery": True, "pg_stat_wal_receiver": [(2.0**25, False)]}, {}, "yet to replay"),
        ({"in_recovery": True, "pg_promote": double.error("42501", "no", severity="ERROR")}, {}, "pg_promote TO it"),
    ],
)
async def test_a_promotion_that_would_do_harm_or_nothing_is_refused(do, said, params, because):
    with pytest.raises(ActionError, match=because) as caught:
        await do("failover", Story(**said), {"primary": {"host": "/nonexistent", "port": 1}}, **params)
    assert not isinstance(caught.value, AmbiguousError)


@pytest.mark.parametrize("said", [b"", None, [(False,)]])
async def test_a_promotion_nobody_knows_the_end_of_is_ambiguous(do, said):
    with pytest.raises(AmbiguousError):
        await do("failover", Story(in_recovery=True, pg_promote=said), split_brain=True)


async def test_without_a_word_on_its_primary_or_with_a_name_nobody_knows_it_is_not_promoted(do):
    with pytest.raises(ActionError, match="nobody knows where"):
        await do("failover", Story(in_recovery=True))
    with pytest.raises(ActionError, match="nobody can tell whether"):
        await do("failover", Story(in_recovery=True), {"primary": {"host": "no.such.name.invalid", "port": 1}})


async def test_a_primary_that_answers_is_not_replaced_unless_told(do):
    async with double.Liar() as primary:
        spec = {"primary": {"host": str(primary.folder), "port": 5432}}
        with pytest.raises(ActionError, match="answers"):
            await do("failover", Story(in_recovery=True), spec)
        assert (await do("failover", Story(in_recovery=True), spec, split_brain=True)).because
