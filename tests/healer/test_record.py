import asyncio
from concurrent.futures import Future
from dataclasses import replace

import pytest

from audit import canonical, commitments
from audit.commitments import Vault
from audit.errors import AuditError, DiskFull, Poisoned
from audit.group import Receipt
from audit.prune import DAY_US
from audit.reader import Log
from audit.writer import Writer
from healer.errors import LogFullError, SealError
from healer.model.effect import Act, Note
from healer.model.memory import Memory
from healer.record import AuditClock, Record, recall
from healer.testing import FakeClock
from tests.healer.runtime.test_dispatch import decision

STATE = {"subject": "safe_mode", "from": "off", "to": "on", "because": "x"}


def note(kind="event", **fields):
    made = fields or {"type": "user.x", "data": {}}
    return Note(kind=kind, fields={"kind": kind, **made})


def act(number=1):
    entry = {
        "kind": "intent", "id": f"i-{number}", "corr": "r@program:p", "action": "restart", "target": "program:p",
        "generation": "", "params": {}, "rule": "r", "rules_hash": "", "step": 0, "attempt": 1, "actor": "rule:r",
        "because": "why", "evidence": [], "deadline_us": 0, "mode": "auto",
    }  # fmt: skip
    return Act(decision=decision(id=f"i-{number}"), entry=entry)


class Told:
    """What a record told, in order."""

    def __init__(self, writer, secrets=()):
        self.sealed, self.refused, self.broken = [], [], []
        self.clock = FakeClock()
        self.record = Record(
            writer,
            self.clock,
            sealed=self.sealed.append,
            refused=lambda decision, failure: self.refused.append((decision.id, str(failure))),
            broken=self.broken.append,
            secrets=secrets,
        )

    async def seal(self, *batches):
        for batch in batches:
            self.record.submit(batch)
        async with asyncio.timeout(5):
            await self.record.flush()


@pytest.fixture
def writer(tmp_path):
    with Writer.open(tmp_path / "s", node="here") as made:
        yield made


def entries(writer):
    with Log.open(writer.folder) as log:
        return [canonical.decode(sealed.octets) for sealed in log.entries(0)]


class Failing:
    """A writer that fails as told, at once or later."""

    def __init__(self, later=None, at_once=None):
        self.later, self.at_once, self.reserved = later, at_once, []

    def submit(self, entries, *, reserve=False):
        self.reserved.append(reserve)
        if self.at_once:
            raise self.at_once
        future = Future()
        if self.later and not (reserve and isinstance(self.later, DiskFull)):
            future.set_exception(self.later)
        else:
            future.set_result([Receipt(0, 0, "00", "00")] * len(entries))
        return future


async def test_an_intent_is_handed_on_only_when_it_is_durable_and_with_its_own_leaf(writer):
    told = Told(writer)
    await told.seal([note(), act(1)], [act(2)])
    assert [one.decision.id for one in told.sealed] == ["i-1", "i-2"]
    with Log.open(writer.folder) as log:
        leaves = [sealed.leaf for sealed in log.entries(0)]
    assert [one.leaf for one in told.sealed] == leaves[1:]
    assert [one.seq for one in told.sealed] == [1, 2]
    assert told.record.entries == 3
    assert told.record.sealed_at == told.clock.at


async def test_an_empty_batch_is_nothing(writer):
    told = Told(writer)
    await told.seal([])
    assert told.record.idle
    assert writer.head is None


@pytest.mark.parametrize("how", ["at_once", "later"])
async def test_what_cannot_be_sealed_is_refused_and_the_trouble_told_once(how):
    told = Told(Failing(**{how: Poisoned("the disk is gone")}))
    await told.seal([act(1)], [note(), act(2)])
    assert told.sealed == []
    assert [name for name, _ in told.refused] == ["i-1", "i-2"]
    assert len(told.broken) == 1
    assert isinstance(told.record.failed, SealError)
    assert "the disk is gone" in str(told.record.failed)
    assert told.record.lost == 3


async def test_sealing_that_works_again_is_no_failure_any_more(writer):
    told = Told(writer)
    told.record._failed([note()], DiskFull("full"))
    assert told.record.failed
    await told.seal([note()])
    assert told.record.failed is None
    told.record._failed([note()], DiskFull("full again"))
    assert len(told.broken) == 2


async def test_a_full_disk_still_takes_how_things_ended(writer):
    failing = Failing(later=DiskFull("full"))
    told = Told(failing)
    await told.seal([note("state", **STATE), act(1)])
    assert failing.reserved == [False, True]
    assert [name for name, _ in told.refused] == ["i-1"]
    assert told.record.lost == 1  # the intent


async def test_whatever_sensors_and_people_say_the_log_takes_it(writer):
    told = Told(writer)
    data = {"userId": 0.5, "name": "\udcff", "long": "x" * 100_000, "big": 2**60}
    await told.seal([note(type="user.x", data=data)])
    assert told.record.failed is None
    assert "userId" in str(entries(writer)[0]["data"])


async def test_secrets_are_taken_out_of_every_text(writer):
    told = Told(writer, secrets=["hunter22"])
    await told.seal([note(type="user.x", data={"text": "it is hunter22!", "api_key": "abc", "deep": [["hunter22"]]})])
    assert entries(writer)[0]["data"] == {
        "text": "it is [redacted]!", "api_key": "[redacted]", "deep": [["[redacted]"]],
    }  # fmt: skip
    assert told.record.redacted({"a": ("hunter22",)}) == {"a": ["[redacted]"]}


async def test_a_loop_that_has_ended_is_not_called_back(writer):
    told = Told(writer)
    loop = asyncio.new_event_loop()
    loop.close()
    future = Future()
    future.set_result([])
    told.record._hand_over(loop, [note()], future)
    assert told.sealed == []


def test_the_log_s_clock_counts_microseconds():
    clock = AuditClock(FakeClock(at=12.5))
    assert (clock.mono_us(), clock.boot_id()) == (12_500_000, "boot-1")
    assert clock.wall_us() == round(FakeClock(at=12.5).wall() * 1e6)


async def test_concealed_texts_are_sealed_as_commitments_and_kept_beside_the_log(writer):
    told = Told(writer, secrets=["hunter2"])
    told.record.conceal = ["data.*", "because"]
    data = {"user": "ann", "password": "mine", "bad": "a\ud800b", "note": "uses hunter2", "n": 3}
    await told.seal([note(), note(type="user.x", data=data)], [act(1)])
    plain, sealed, intent = entries(writer)
    assert plain["data"] == {}
    assert sealed["data"]["n"] == 3
    assert intent["because"] != "why"
    with Vault.open(writer.folder / "private.db") as vault:
        shown = commitments.reveal(sealed, vault)["data"]
        assert shown == {"user": "ann", "password": "mine", "bad": "a?b", "note": "uses [redacted]", "n": 3}
        assert commitments.reveal(intent, vault)["because"] == "why"
    memory, _ = recall(writer.folder, None)
    assert memory.intents["i-1"].action == "restart"


async def test_a_concealed_reason_does_not_hide_safe_mode_from_the_memory(writer):
    told = Told(writer)
    told.record.conceal = ["*"]
    await told.seal([note("state", **STATE)])
    memory, _ = recall(writer.folder, None)
    assert memory.safe_mode == "[concealed]"


async def test_what_is_concealed_is_not_sealed_when_it_cannot_be_kept(writer):
    told = Told(writer)
    told.record.conceal = ["data.*"]
    (writer.folder / "private.db").mkdir()
    await told.seal([note(type="user.x", data={"user": "ann"})])
    assert told.record.failed
    assert told.record.lost == 1
    assert writer.head is None


# Recalling ------------------------------------------------------------------------------------------------------


def safe(to):
    return note("state", **(STATE | {"to": to, "because": f"turned {to}"}))


async def remembered(writer):
    """Three blocks; the memory after the second as a snapshot, and the whole."""
    told = Told(writer)
    await told.seal([safe("on")])
    await told.seal([act(1)])
    head = writer.head
    memory, _ = recall(writer.folder, None)
    await told.seal([note("rules", hash="h", count=0, files=[], accepted=True)])
    return head, memory


async def test_a_snapshot_saves_the_fold_below_it_and_changes_nothing(writer):
    head, memory = await remembered(writer)
    whole, every = recall(writer.folder, None)
    after, folded = recall(writer.folder, (head.height, head.head, memory.to_json()))
    assert (folded, every) == (1, 3)
    assert after == whole
    assert after.rules_hash == "h"
    assert after.intents["i-1"].leaf


@pytest.mark.parametrize(
    "spoil",
    [
        lambda height, header, body: (height, "0" * 64, body),
        lambda height, header, body: (99, header, body),
        lambda height, header, body: (height, header, {"nonsense": 1}),
        lambda height, header, body: (height, header, body | {"frame": None}),
    ],
    ids=["another log's", "beyond the end", "nonsense", "half"],
)
async def test_a_snapshot_that_does_not_belong_here_is_ignored(writer, spoil):
    head, memory = await remembered(writer)
    lie = Memory(rules_hash="lie", safe_mode="lie").to_json() | memory.to_json()
    found, folded = recall(writer.folder, spoil(head.height, head.head, lie))
    assert folded == 3
    assert found == recall(writer.folder, None)[0]


@pytest.fixture
def pruned(tmp_path):
    """A log whose first days, in which safe mode was entered, were pruned into an archive."""
    clock = FakeClock()
    with Writer.open(tmp_path / "s", node="here", clock=AuditClock(clock)) as made:
        made.append({"kind": "lifecycle", "phase": "start"})
        made.append(safe("on").fields)
        clock.at += 3 * 86400
        made.append({"kind": "heartbeat"})
        before, _ = recall(made.folder, None)
        head = made.head
        (tmp_path / "archives").mkdir()
        assert made.prune(DAY_US, tmp_path / "archives", because="a day").dropped
    return tmp_path / "s", before, (head.height, head.head, before.to_json())


def test_a_fold_reads_what_was_pruned_from_its_archive(pruned, tmp_path):
    folder, before, _ = pruned
    found, _ = recall(folder, None, [tmp_path / "archives"])
    assert found.safe_mode == before.safe_mode == "turned on"
    (tmp_path / "archives").rename(folder / "archive")
    assert recall(folder, None)[0].safe_mode == "turned on"


def test_a_snapshot_above_what_was_pruned_needs_no_archive(pruned):
    folder, before, snapshot = pruned
    found, _ = recall(folder, snapshot)
    assert found.safe_mode == before.safe_mode


def test_an_agent_that_has_forgotten_its_brakes_does_not_start_as_if_there_were_none(pruned):
    folder, _, _ = pruned
    with pytest.raises(AuditError, match="block 1 was pruned"):
        recall(folder, None)


async def test_what_frees_space_is_sealed_with_the_last_of_it(writer):
    failing = Failing(later=DiskFull("full"))
    told = Told(failing)
    cure = act(1)
    freeing = replace(cure, entry={**cure.entry, "action": "clear_cache"})
    await told.seal([note("state", **STATE), freeing], [act(2)])
    assert failing.reserved == [True, False]
    assert [name for name, _ in told.refused] == ["i-2"]
    assert isinstance(told.record.failed, LogFullError)
