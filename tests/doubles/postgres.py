"""A PostgreSQL that speaks just enough of the protocol to misbehave in every way a test asks for."""

import asyncio
import contextlib
import struct
import tempfile
from pathlib import Path

READY, INSIDE = b"Z\0\0\0\5I", b"Z\0\0\0\5T"
MUTE = "mute"
OIDS = {bool: 16, int: 20, float: 701, str: 25, type(None): 25}


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def error(sqlstate, text, severity="FATAL"):
    fields = [("S", severity), ("V", severity), ("C", sqlstate), ("M", text)]
    return message(b"E", b"".join(f"{key}{value}".encode() + b"\0" for key, value in fields) + b"\0")


def rows(*found, tag="SELECT", names=()):
    """The messages of an answer; every row a tuple, all of one shape."""
    said = b""
    if found:
        names = names or ("c",) * len(found[0])
        columns = b"".join(
            name.encode() + b"\0" + struct.pack("!ihihih", 0, 0, OIDS[type(value)], -1, -1, 0)
            for name, value in zip(names, found[0], strict=True)
        )
        said = message(b"T", struct.pack("!h", len(found[0])) + columns)
    for row in found:
        cells = b"".join(cell(value) for value in row)
        said += message(b"D", struct.pack("!h", len(row)) + cells)
    return said + message(b"C", f"{tag} {len(found)}".encode() + b"\0")


def cell(value):
    if value is None:
        return struct.pack("!i", -1)
    text = str(value).encode() if not isinstance(value, bool) else b"t" if value else b"f"
    return struct.pack("!i", len(text)) + text


class Liar:
    """``hello`` answers the SSL request, ``startup`` the first real word (`MUTE`: nothing); ``answer`` a query's text.

    An answer of None hangs, ``b""`` hangs up. What is said of a query goes out as it is, without a check.
    """

    def __init__(self, *, hello=b"N", startup=None, answer=None, version="15.4"):
        self.hello, self.startup, self.version = hello, startup, version
        self.answer = answer or (lambda _: rows((1,)))
        self.asked = []
        self.sessions = 0
        self.folder = Path(tempfile.mkdtemp(prefix="liar-", dir="/tmp"))
        self._server = None
        self._writers = []

    async def __aenter__(self):
        self._server = await asyncio.start_unix_server(self._serve, self.folder / ".s.PGSQL.5432")
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        with contextlib.suppress(OSError):
            (self.folder / ".s.PGSQL.5432").unlink()
            self.folder.rmdir()

    async def _serve(self, reader, writer):
        self._writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            if await self._greeted(reader, writer):
                await self._session(reader, writer)
        writer.transport.abort()

    async def _greeted(self, reader, writer):
        while True:
            length, code = struct.unpack("!ii", await reader.readexactly(8))
            if code != 80877103:
                await reader.readexactly(length - 8)
                break
            if self.hello is None:
                await reader.read()
                return False
            writer.write(self.hello)
            if self.hello != b"N":
                await writer.drain()
                return False
        if self.startup == MUTE:
            await reader.read()
            return False
        if self.startup is None:
            said = message(b"R", struct.pack("!i", 0))
            for key, value in (("server_version", self.version), ("client_encoding", "UTF8")):
                said += message(b"S", key.encode() + b"\0" + value.encode() + b"\0")
            writer.write(said + message(b"K", struct.pack("!ii", 1, 2)) + READY)
            self.sessions += 1
            return True
        writer.write(self.startup)
        await writer.drain()
        return False

    async def _session(self, reader, writer):
        inside, text = False, ""
        while True:
            kind = await reader.readexactly(1)
            (length,) = struct.unpack("!i", await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            if kind == b"P":
                text = body.split(b"\0")[1].decode()
            elif kind == b"X":
                return
            if kind not in b"QS":
                continue
            prefix = message(b"1") + message(b"2") if kind == b"S" else b""
            text = body.rstrip(b"\0").decode() if kind == b"Q" else text
            self.asked.append(text)
            said = self.answer(text)
            if said is None:
                await reader.read()
                return
            if said == b"":
                return
            inside = text.startswith("BEGIN") or (inside and not text.startswith(("COMMIT", "ROLLBACK")))
            if prefix and not said.startswith((b"T", b"E")):
                prefix += message(b"n")
            writer.write((b"" if said.startswith(b"E") else prefix) + said + (INSIDE if inside else READY))
