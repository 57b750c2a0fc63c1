"""One connection to a D-Bus message bus; the only importer of dbus_fast."""

import asyncio
import functools
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from healer.drivers.interface import DriverError
from healer.errors import HealerError

if TYPE_CHECKING:
    from dbus_fast import Message, Variant
    from dbus_fast.aio import MessageBus

_log = logging.getLogger("healer.systemd")

PATIENCE = 5.0
"""Seconds an answer may take; a manager that is up answers within a few milliseconds."""
BUS = "org.freedesktop.DBus"
PROPERTIES = "org.freedesktop.DBus.Properties"
_BUS_PATH = "/org/freedesktop/DBus"
_NOBODY = "does systemd run here?"
_HINT = "is dbus running, and may this account use its socket?"


class SaidNoError(HealerError):
    """An error as an answer: whoever was asked did not do it. ``name`` is the error's D-Bus name."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text or name)
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Something a peer told everybody."""

    path: str
    interface: str
    member: str
    body: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """A value together with its D-Bus type, where the signature alone (``v``) does not say it."""

    signature: str
    value: Any


class Bus:
    """An open connection, and one peer on it: ``name`` is asked, and heard.

    Signals of anybody else are thrown away: every local user may send some, addressed to us, that look like the peer's.
    """

    def __init__(
        self,
        name: str,
        heard: Callable[[Signal], None],
        lost: Callable[[str], None],
        moved: Callable[[bool], None] | None = None,
    ) -> None:
        """``lost`` hears of the end of the connection; ``moved`` of a peer that left it (False) or is back (True)."""
        self._name = name
        self._moved = moved
        self._owner = ""
        self._heard = heard
        self._lost = lost
        self._bus: MessageBus | None = None
        self._closing = False
        self._expected: dict[int, Callable[[Message], None]] = {}

    async def open(self, address: str, *, within: float = PATIENCE) -> None:
        """Connect, and find the peer; raises DriverError. ``address`` as in DBUS_SYSTEM_BUS_ADDRESS."""
        from dbus_fast import AuthError, InvalidAddressError
        from dbus_fast.aio import MessageBus

        # What a peer sends that is no D-Bus ends the connection, which is told below; the library's traceback is not.
        logging.getLogger("dbus_fast").setLevel(logging.CRITICAL)
        try:
            async with asyncio.timeout(within):
                self._bus = await MessageBus(bus_address=address).connect()
                self._bus.add_message_handler(self._hear)
                self._watch(self._bus)
                await self.match(f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{self._name}'")
                (self._owner,) = await self._of_bus("GetNameOwner", "s", self._name)
        except SaidNoError as exc:
            self.close()
            raise DriverError(f"{self._name} is not on the bus: {exc.message}", hint=_NOBODY) from exc
        except (OSError, AuthError, InvalidAddressError, EOFError, TimeoutError, ValueError) as exc:
            self.close()
            raise DriverError(f"cannot connect to the bus: {_brief(exc)}", hint=_HINT) from exc
        except BaseException:
            self.close()
            raise

    async def call(
        self,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        *body: object,
        within: float = PATIENCE,
        to: str = "",
    ) -> Sequence[Any]:
        """Ask the peer; returns the answer's body, variants unwrapped.

        Raises SaidNoError for an error as an answer; DriverError where none came: nobody knows what was done.
        """
        from dbus_fast import Message

        asked = Message(
            destination=to or self._peer(),
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=[_wrap(one) for one in body],
        )
        return [_plain(one) for one in (await self._ask(asked, within)).body]

    async def properties(
        self, path: str, interface: str, keep: Collection[str], take: Callable[[Mapping[str, Any]], None]
    ) -> None:
        """Hand some of an object's properties to ``take``, in their place among the signals about them.

        ``interface``: empty is all of them. Whoever waits for an answer wakes a moment after it came, when a signal
        that came after it may have been heard already: its news would be lost under older ones. Raises as `call`.
        """
        await self._ask(self._get_all(path, interface), PATIENCE, _reader(keep, take))

    def properties_later(self, path: str, keep: Collection[str], take: Callable[[Mapping[str, Any]], None]) -> None:
        """As `properties`, for whoever must not wait. Where no answer comes, ``take`` is never called."""
        if self._owner:
            self._send(self._get_all(path, ""), _reader(keep, take))

    def call_later(self, path: str, interface: str, member: str) -> None:
        """Ask for something without waiting for the answer, or for whether there is one."""
        from dbus_fast import Message

        if self._owner:
            asked = Message(destination=self._owner, path=path, interface=interface, member=member)
            self._send(asked, lambda _: None)

    def _send(self, asked: "Message", read: "Callable[[Message], None]") -> None:
        if self._bus is not None:
            asked.serial = self._bus.next_serial()
            self._expected[asked.serial] = read
            self._bus.send(asked)

    def _get_all(self, path: str, interface: str) -> "Message":
        from dbus_fast import Message

        return Message(
            destination=self._peer(), path=path, interface=PROPERTIES, member="GetAll", signature="s", body=[interface]
        )

    def _peer(self) -> str:
        if self._bus is not None and not self._owner:
            raise DriverError(f"{self._name} is not on the bus", hint=_NOBODY)
        return self._owner or self._name

    async def _ask(self, asked: "Message", within: float, read: Callable[["Message"], None] | None = None) -> "Message":
        if self._bus is None:
            raise DriverError("not connected to the bus", hint=_HINT)
        asked.serial = self._bus.next_serial()
        if read is not None:
            self._expected[asked.serial] = read
        try:
            async with asyncio.timeout(within):
                answer = await self._bus.call(asked)
        except TimeoutError as exc:
            raise DriverError(
                f"no answer to {asked.member} within {within:g} s", hint="is it hung?", sent=True
            ) from exc
        except (OSError, EOFError) as exc:
            raise DriverError(f"the bus went away: {_brief(exc)}", hint=_HINT, sent=True) from exc
        except Exception as exc:  # the library raises what its reader met: an answer that is no D-Bus, for one
            raise DriverError(f"the bus made no sense: {_brief(exc)}", sent=True) from exc
        finally:
            self._expected.pop(asked.serial, None)
        return _checked(answer)

    async def match(self, rule: str) -> None:
        """Hear the signals a match rule describes."""
        await self._of_bus("AddMatch", "s", rule)

    async def unmatch(self, rule: str) -> None:
        """Hear them no more."""
        await self._of_bus("RemoveMatch", "s", rule)

    def close(self) -> None:
        """Let go of it. Nobody is told: whoever closes knows."""
        self._closing = True
        self._expected.clear()
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None

    async def _of_bus(self, member: str, signature: str, *body: object) -> Sequence[Any]:
        return await self.call(_BUS_PATH, BUS, member, signature, *body, to=BUS)

    def _hear(self, message: "Message") -> None:
        try:
            self._take(message)
        except Exception:  # noqa: BLE001 - the library would swallow it, and what is known would be a lie: begin anew
            _log.exception("bus.news-not-taken")
            self._gone("news from the bus could not be taken in")

    def _take(self, message: "Message") -> None:
        if (read := self._expected.pop(message.reply_serial or 0, None)) is not None:
            if message.error_name is None:
                read(message)
        elif message.member == "NameOwnerChanged" and message.sender == BUS:
            self._owner_changed(*message.body)
        elif self._owner and message.sender == self._owner and message.path and message.interface and message.member:
            body = [_plain(one) for one in message.body]
            self._heard(Signal(path=message.path, interface=message.interface, member=message.member, body=body))

    def _owner_changed(self, name: str, _: str, owner: str) -> None:
        # systemd that executes itself anew leaves, and is back as another peer a moment later.
        if name == self._name and owner != self._owner:
            self._owner = owner
            if self._moved is not None:
                self._moved(bool(owner))

    def _watch(self, bus: "MessageBus") -> None:
        # A task that only waits for the end would need an owner; the future it would wait for tells as well.
        bus._disconnect_future.add_done_callback(self._ended)  # noqa: SLF001

    def _ended(self, future: "asyncio.Future[None]") -> None:
        exc = None if future.cancelled() else future.exception()
        self._gone("the bus went away" + (f": {_brief(exc)}" if exc else ""))

    def _gone(self, because: str) -> None:
        if not self._closing:
            self.close()
            self._lost(because)


def _reader(keep: Collection[str], take: Callable[[Mapping[str, Any]], None]) -> "Callable[[Message], None]":
    def read(answer: "Message") -> None:
        said = answer.body[0] if answer.body and isinstance(answer.body[0], dict) else {}
        take({name: _plain(said[name]) for name in keep if name in said})

    return read


def _checked(answer: "Message") -> "Message":
    if answer.error_name is not None:
        text = answer.body[0] if answer.body and isinstance(answer.body[0], str) else ""
        raise SaidNoError(answer.error_name, text)
    return answer


@functools.cache
def _variant() -> "type[Variant]":
    from dbus_fast import Variant

    return Variant


def _wrap(value: object) -> object:
    if isinstance(value, Typed):
        return _variant()(value.signature, _wrap(value.value))
    if isinstance(value, list):
        return [_wrap(one) for one in value]
    return value


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a peer may send
    if isinstance(value, _variant()):
        return _plain(value.value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


def _brief(exc: BaseException) -> str:
    return (getattr(exc, "strerror", "") or str(exc) or type(exc).__name__)[:200]
