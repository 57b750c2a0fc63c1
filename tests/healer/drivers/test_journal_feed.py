"""One child and its lines: bounded, in turns with the rest of the loop, and gone when it is told to."""

import asyncio
import sys

import pytest

from healer.drivers import processes
from healer.drivers.journal_feed import CHUNK, LONGEST, PAUSE, Ears, Feed
from healer.errors import ActionError


class Heard:
    def __init__(self):
        self.lines, self.full, self.cut, self.said = [], [], 0, None
        self.over = asyncio.Event()

    async def run(self, program, *, wait=True):
        def lines(got, more):
            self.lines += got
            self.full.append(more)

        def cut():
            self.cut += 1

        def ended(_feed, said):
            self.said = said
            self.over.set()

        feed = await Feed.started([sys.executable, "-c", program], Ears(lines=lines, cut=cut, ended=ended))
        if wait:
            async with asyncio.timeout(10):
                await self.over.wait()
        return feed


async def until(true):
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


async def test_whole_lines_come_and_half_of_one_is_none():
    heard = Heard()
    await heard.run("import sys; sys.stdout.write('one\\ntwo\\nhalf'); sys.stderr.write('and this')")
    assert heard.lines == [b"one", b"two"]
    assert heard.said == "and this"


async def test_what_was_written_last_is_read_before_the_end_is_told():
    heard = Heard()
    await heard.run("print('x' * 100 * 1000); print('last')")
    assert heard.lines[-1] == b"last"


async def test_a_line_without_end_is_passed_over_and_the_next_is_read():
    heard = Heard()
    await heard.run(f"print('x' * {LONGEST * 3}); print('next')")
    assert heard.lines == [b"next"]
    assert heard.cut >= 1


async def test_a_flood_comes_in_chunks_with_pauses_between():
    heard, beats = Heard(), 0
    running = await heard.run("while True: print('x' * 99)", wait=False)
    await until(lambda: heard.lines)
    heard.lines.clear()
    began = asyncio.get_running_loop().time()
    for _ in range(10):
        await asyncio.sleep(0.02)
        beats += 1
    running.end()
    assert beats == 10
    stretches = (asyncio.get_running_loop().time() - began) / PAUSE + 2
    assert 0 < len(heard.lines) * 100 < stretches * 2 * CHUNK


async def test_an_end_of_ours_kills_it_and_is_no_news():
    heard = Heard()
    feed = await heard.run("import time; print('up', flush=True); time.sleep(60)", wait=False)
    await until(lambda: heard.lines)
    pid = feed.pid
    feed.end()
    feed.end()
    await until(lambda: not processes.generation(pid))
    assert heard.said is None


async def test_a_program_that_is_not_there_is_told():
    with pytest.raises(ActionError, match="no command"):
        await Feed.started(["no-such-program-anywhere"], Ears(lines=print, cut=print, ended=print))
