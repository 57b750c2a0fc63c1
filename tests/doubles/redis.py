"""A server that speaks as Redis does, and answers each command by its first word, as a test says."""

import asyncio
import contextlib

RUN = "ab" * 20


def info(run=RUN, version="7.0.15", more=""):
    text = f"# Server\r\nredis_version:{version}\r\nrun_id:{run}\r\nloading:0\r\nrole:master\r\n{more}".encode()
    return b"$%d\r\n%s\r\n" % (len(text), text)


class Server:
    """Answers each command by its first word, as its script says; remembers what it was asked."""

    def __init__(self):
        self.says = {b"PING": b"+PONG\r\n", b"INFO": info(), b"AUTH": b"+OK\r\n", b"SELECT": b"+OK\r\n"}
        self.asked = []
        self.writers = []
        self.greets = b""
        self.listening = None
        self.port = 0

    async def open(self):
        self.listening = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        self.port = self.listening.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        self.writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if self.greets:
                writer.write(self.greets)
                await writer.drain()
                writer.close()
                return
            while True:
                words = []
                for _ in range(int((await reader.readuntil(b"\r\n"))[1:])):
                    size = int((await reader.readuntil(b"\r\n"))[1:])
                    words.append((await reader.readexactly(size + 2))[:-2])
                self.asked.append(words)
                said = self.says.get(words[0], b"-ERR unknown command\r\n")
                if callable(said):
                    await said(writer)
                else:
                    writer.write(said)
                    await writer.drain()

    def reset(self):
        for writer in self.writers:
            writer.transport.abort()

    def close(self):
        self.listening.close()
        self.reset()
