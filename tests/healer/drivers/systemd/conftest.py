"""A message bus with a systemd on it, as small as can be, that misbehaves on demand."""

import asyncio
import contextlib
import io

import pytest
from dbus_fast import Message, MessageType, Variant
from dbus_fast._private.unmarshaller import Unmarshaller

from healer.clock import SystemClock
from healer.drivers.systemd.systemd import Systemd
from healer.drivers.systemd.unit import path

NAME = "org.freedesktop.systemd1"
PLAIN = {
    "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success",
    "InvocationID": b"\x01" * 16, "NRestarts": 0, "MainPID": 7, "Type": "simple", "Restart": "no", "Job": [0, "/"],
}  # fmt: skip
TYPES = {
    int: "t", str: "s", bytes: "ay", bool: "b", list: "(uo)", tuple: "as",
}  # fmt: skip


def typed(said):
    found = {}
    for name, value in said.items():
        kind = "u" if name in ("NRestarts", "MainPID") else TYPES[type(value)]
        found[name] = Variant(kind, list(value) if isinstance(value, tuple) else value)
    return found


def stamped(message, sender):
    """The message's octets with its sender in them, which is for the bus to put there."""
    octets = bytes(message._marshall(False))
    size = int.from_bytes(octets[12:16], "little")
    fields, body = octets[16 : 16 + size], octets[16 + (size + 7) // 8 * 8 :]
    fields += bytes(-len(fields) % 8) + b"\x07\x01s\0" + len(sender).to_bytes(4, "little") + sender.encode() + b"\0"
    return octets[:12] + len(fields).to_bytes(4, "little") + fields + bytes(-len(fields) % 8) + body


class FakeBus:
    """Answers what the driver asks. ``units``: properties by name. ``wrong``: by method, what goes wrong instead.

    ``silent``, ``cut`` (the connection), ``garbage`` (octets that are no D-Bus), ``half`` (of an answer, then cut), or
    the name of an error.
    """

    def __init__(self):
        self.units = {"plain.service": dict(PLAIN)}
        self.wrong = {}
        self.asked = []
        self.sasl = b"OK 0123456789abcdef0123456789abcdef\r\n"
        self.results = {}
        self.writers = []
        self.jobs = 0
        self.connections = 0
        self.owner = ":1.1"

    async def serve(self, reader, writer):
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, BrokenPipeError):
            await reader.readuntil(b"\r\n")
            if self.sasl is None:
                await asyncio.sleep(60)
            writer.write(self.sasl)
            await reader.readuntil(b"BEGIN\r\n")
            while True:
                await self.answer(await self.message(reader), writer)
        writer.close()

    async def message(self, reader):
        head = await reader.readexactly(16)
        order = "little" if head[:1] == b"l" else "big"
        body, fields = int.from_bytes(head[4:8], order), int.from_bytes(head[12:16], order)
        rest = await reader.readexactly((fields + 7) // 8 * 8 + body)
        return Unmarshaller(io.BytesIO(head + rest)).unmarshall()

    async def answer(self, asked, writer):
        self.asked.append((asked.member, asked.body))
        wrong = self.wrong.get(asked.member)
        if wrong == "silent":
            return
        if wrong == "cut":
            writer.close()
            return
        if wrong == "garbage":
            writer.write(b"\xff" * 64)
            return
        if wrong and wrong != "half":
            kind = {"message_type": MessageType.ERROR, "error_name": wrong, "signature": "s", "body": ["no"]}
        else:
            signature, body = self.reply(asked)
            kind = {"message_type": MessageType.METHOD_RETURN, "signature": signature, "body": body}
        who = "org.freedesktop.DBus" if asked.destination == "org.freedesktop.DBus" else self.owner
        octets = stamped(Message(reply_serial=asked.serial, destination=":1.9", serial=1, **kind), who)
        if wrong == "half":
            writer.write(octets[: len(octets) // 2])
            await writer.drain()
            writer.close()
            return
        writer.write(octets)

    def reply(self, asked):
        match asked.member:
            case "Hello":
                return "s", [":1.9"]
            case "GetNameOwner":
                return "s", [":1.1"]
            case "Get":
                return "v", [Variant("s", "252")]
            case "GetAll":
                return "a{sv}", [typed(self.properties(asked.path))]
            case "ListUnitsByPatterns":
                rows = [
                    [name, "", "loaded", said["ActiveState"], "", "", path(name), 0, "", "/"]
                    for name, said in self.units.items()
                ]
                return "a(ssssssouso)", [rows]
            case "StartUnit" | "StopUnit" | "RestartUnit" | "ReloadUnit":
                return "o", [self.job(asked)]
            case "SetUnitProperties":
                for name, value in asked.body[2]:
                    self.units[asked.body[0]][name] = value.value
                return "", []
            case _:
                return "", []

    def properties(self, where):
        for name, said in self.units.items():
            if path(name) == where:
                return {"Id": name, **said}
        return {"Id": "gone.service", **PLAIN, "LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead"}

    def job(self, asked):
        """Do it, and tell of its end before its path is told: that is how quick it can be."""
        self.jobs += 1
        job, name = f"/org/freedesktop/systemd1/job/{self.jobs}", asked.body[0]
        result, change = self.results.get(asked.member, ("done", {}))
        self.units.setdefault(name, dict(PLAIN)).update(change)
        if result != "never":
            self.tell(
                "/org/freedesktop/systemd1", f"{NAME}.Manager", "JobRemoved", "uoss", [self.jobs, job, name, result]
            )
        return job

    def tell(self, where, interface, member, signature, body, sender=":1.1"):
        said = Message(
            message_type=MessageType.SIGNAL, path=where, interface=interface, member=member,
            signature=signature, body=body,
            serial=1,
        )  # fmt: skip
        for writer in self.writers:
            writer.write(stamped(said, sender))

    def change(self, name, sender=":1.1", **changed):
        self.units[name].update(changed)
        where, interface = path(name), "org.freedesktop.DBus.Properties"
        self.tell(where, interface, "PropertiesChanged", "sa{sv}as", [f"{NAME}.Service", {}, []], sender)
        self.tell(where, interface, "PropertiesChanged", "sa{sv}as", [f"{NAME}.Unit", typed(changed), []], sender)


@pytest.fixture
async def bus(tmp_path):
    fake = FakeBus()
    async with asyncio.TaskGroup() as group:
        server = await asyncio.start_unix_server(fake.serve, tmp_path / "bus")
        fake.address = f"unix:path={tmp_path}/bus"
        task = group.create_task(server.serve_forever())
        yield fake
        for writer in fake.writers:
            writer.close()
        task.cancel()
        server.close()


@pytest.fixture
async def manager(bus):
    made = Systemd(SystemClock(), bus=bus.address)
    yield made
    await made.close()
