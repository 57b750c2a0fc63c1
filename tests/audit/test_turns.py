"""Turns: nobody is overtaken, nobody waits for a thread he does not need, and a close waits for all."""

import threading

import pytest

from audit import canonical, turns
from audit.errors import DiskFull, Poisoned
from audit.reader import Log
from audit.writer import Writer


class Watching:
    """A signer that takes note of the threads it is called in."""

    def __init__(self, key) -> None:
        self.public = key.public
        self.threads: list[str] = []
        self._key = key

    def sign(self, message: bytes) -> bytes:
        self.threads.append(threading.current_thread().name)
        return self._key.sign(message)


def test_who_waits_anyhow_seals_himself_where_nobody_else_does(tmp_path, key, event):
    signer = Watching(key)
    with Writer.open(tmp_path / "s", node="n", signer=signer, reserve_bytes=0) as writer:
        writer.append(event())
        assert signer.threads == [threading.current_thread().name]
        writer.submit([event()]).result()
        assert signer.threads[1].startswith("audit signer")


def test_nobody_is_overtaken(tmp_path, key, event, proven):
    def submit_and_append(name: str) -> None:
        for number in range(40):
            if number % 3:
                writer.submit([event(number, who=name)])
            else:
                writer.append(event(number, who=name))

    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
        threads = [threading.Thread(target=submit_and_append, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    seen: dict[str, list[int]] = {}
    with Log.open(tmp_path / "s") as log:
        for sealed in log.entries():
            data = canonical.decode(sealed.octets)["data"]
            seen.setdefault(data["who"], []).append(data["number"])
    assert seen == {name: list(range(40)) for name in "abc"}
    assert proven(tmp_path / "s")


def test_closing_waits_for_who_seals_himself(tmp_path, key, event, proven):
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Watching):
        def sign(self, message: bytes) -> bytes:
            begun.set()
            go_on.wait(5)
            return super().sign(message)

    writer = Writer.open(tmp_path / "s", node="n", signer=Slow(key), reserve_bytes=0)
    receipts = []
    sealing = threading.Thread(target=lambda: receipts.append(writer.append(event())))
    sealing.start()
    begun.wait(5)
    closing = threading.Thread(target=writer.close)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    go_on.set()
    sealing.join()
    closing.join()
    assert receipts[0].seq == 0
    assert proven(tmp_path / "s")


def test_a_bug_in_the_caller_s_thread_fails_him_and_poisons_the_writer(tmp_path, key, event, monkeypatch):
    writer = Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0)
    monkeypatch.setattr("audit.group.make", lambda *_args, **_more: 1 / 0)
    with pytest.raises(Poisoned, match="ZeroDivisionError"):
        writer.append(event())
    monkeypatch.undo()
    with pytest.raises(Poisoned):
        writer.append(event())
    writer.close()


def test_a_queue_that_grows_without_end_is_refused(opened, event, monkeypatch):
    monkeypatch.setattr(turns, "MAX_WAITING", 5)
    writer = opened()
    with pytest.raises(DiskFull, match="cannot keep up"):
        writer.submit([event()] * 6)


def test_whatever_queues_during_a_commit_makes_one_block(opened, tmp_path, key, event, proven):
    gate, signing = threading.Event(), threading.Event()

    class SlowSigner:
        public = key.public

        def sign(self, message: bytes) -> bytes:
            signing.set()
            gate.wait(5)
            return key.sign(message)

    with opened(signer=SlowSigner()) as writer:
        first = writer.submit([event()])
        assert signing.wait(5)
        rest = [writer.submit([event(number), event(number)]) for number in range(50)]
        gate.set()
        assert first.result()[0].height == 0
        receipts = [receipt for future in rest for receipt in future.result()]
    assert {receipt.height for receipt in receipts} == {1}
    assert [receipt.seq for receipt in receipts] == list(range(1, 101))
    assert proven(tmp_path / "s")
