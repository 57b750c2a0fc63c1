"""The channels of ``notify:`` at work: each kind's way to deliver, how it is doing, and when it is skipped."""

import json
import os
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from healer.actions.call import Asker, revealed, send
from healer.clock import Clock
from healer.config.channel import JOURNAL, Channel, Query
from healer.drivers import journal
from healer.errors import ActionError, AmbiguousError, HealerError, SkippedError
from healer.model.alert import Message
from healer.yamldoc.secret import Secret

if TYPE_CHECKING:
    from healer.drivers import sms

_PRIORITY = {"info": 6, "warning": 4, "critical": 2}
_TRIES = 3
"""Of one webhook, while there is time."""
MOST_RECIPIENTS = 100
BURST, MINUTE = 10, 60.0
"""So many messages of rules within so many seconds; what is more goes out together, as one."""
MOST_KEPT = 20
"""Deliveries that the share of a channel is taken of."""
Write = Callable[[str, int, Mapping[str, str]], bool]
"""(message, syslog priority, fields): True when the journal has it, False when only standard error does."""
Lookup = Callable[[str, str, float], Awaitable[Sequence[str]]]
"""(target, query, seconds): the first column of what a database answers; raises HealerError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a channel gave for a message."""

    because: str
    """Who has it, and what they said."""
    rc: int | None = None
    output: bytes = b""


@dataclass(slots=True)
class Pulse:
    """How one channel is doing."""

    channel: Channel
    errors: int = 0
    """In a row."""
    failed_at: float = 0.0
    because: str = ""
    """Of the last error; empty after a success."""
    sent: int = 0
    failed: int = 0
    skipped: int = 0
    told_at: float | None = None
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=BURST))
    """When rules told it something of late."""
    trying: bool = False
    """While it is skipped: whether one more is being tried just now."""

    def waits(self, now: float) -> float:
        """Seconds until one more is tried; 0 where nothing keeps it."""
        if self.errors < self.channel.error_limit:
            return 0.0
        left = self.failed_at + self.channel.retry_after - now
        return max(0.1, left) if self.trying else max(0.0, left)


class Voices:
    """Every channel by name. Lives as long as the agent: a reload keeps what is known of a channel that stays."""

    def __init__(
        self,
        clock: Clock,
        node: str,
        http: Callable[[], Asker],
        *,
        write: Write = journal.write,
        lookup: Lookup | None = None,
    ) -> None:
        self._clock, self._node, self._http, self._write, self._lookup = clock, node, http, write, lookup
        self.collect: Callable[[str, Message], None] | None = None
        """Takes what rules say too fast; None: all of it goes out one by one."""
        self._pulses: dict[str, Pulse] = {}
        self._last: deque[bool] = deque(maxlen=MOST_KEPT)
        self._by_kind: Mapping[str, Callable[[Channel, Message, float], Awaitable[Receipt]]] = {
            "journal": self._journal,
            "webhook": self._webhook,
            "email": self._email,
            "sms": self._sms,
            "apprise": self._apprise,
        }
        self.renew({"journal": JOURNAL}, node)

    def renew(self, channels: Mapping[str, Channel], node: str) -> None:
        """Go on with these channels."""
        held, self._node = self._pulses, node
        self._pulses = {}
        for name, channel in ({"journal": JOURNAL} | dict(channels)).items():
            pulse = held.get(name)
            if pulse is None or replace(pulse.channel, alerts=channel.alerts) != channel:
                pulse = Pulse(channel)
            pulse.channel = channel
            self._pulses[name] = pulse

    def __contains__(self, name: object) -> bool:
        return name in self._pulses

    async def tell(self, name: str, message: Message, timeout: float) -> Receipt:
        """Tell one channel, within ``timeout`` seconds.

        Raises SkippedError where it failed too often of late, ActionError where it was not told, AmbiguousError where
        nobody knows. An unknown channel is the journal.
        """
        pulse = self._pulses.get(name) or self._pulses["journal"]
        if left := pulse.waits(self._clock.now()):
            pulse.skipped += 1
            raise SkippedError(
                f"skipped: {name} failed {pulse.errors} times in a row, one more is tried in {left:.0f} s; "
                f"last {pulse.because}"
            )
        pulse.trying = True
        try:
            receipt = await self._by_kind[pulse.channel.kind](pulse.channel, message, timeout)
        except ActionError as exc:
            self._failed(pulse, str(exc))
            raise
        finally:
            pulse.trying = False
        pulse.errors, pulse.because, pulse.told_at = 0, "", self._clock.now()
        pulse.sent += 1
        self._last.append(True)
        return receipt

    async def relay(self, name: str, message: Message, timeout: float) -> Receipt:
        """Tell one channel what a rule has to say; raises as `tell`, and SkippedError where rules said enough of late.

        Ten thousand targets that fail at once must not be ten thousand messages.
        """
        pulse, now = self._pulses.get(name), self._clock.now()
        if pulse is None or pulse.channel.kind == "journal" or self.collect is None:
            return await self.tell(name, message, timeout)
        if len(pulse.recent) == BURST and now - pulse.recent[0] < MINUTE:
            self.collect(name, message)
            raise SkippedError(f"skipped: {name} had {BURST} messages within a minute; it goes out with others, as one")
        pulse.recent.append(now)
        return await self.tell(name, message, timeout)

    def _failed(self, pulse: Pulse, because: str) -> None:
        pulse.errors += 1
        pulse.failed += 1
        pulse.failed_at, pulse.because = self._clock.now(), because
        self._last.append(False)

    # How they are ---------------------------------------------------------------------------------------------

    def report(self) -> list[dict[str, Any]]:
        """Every channel: what it was told, what failed, and whether it is skipped now."""
        now = self._clock.now()
        return [
            {
                "name": name,
                "kind": pulse.channel.kind,
                "alerts": pulse.channel.alerts is not None,
                "sent": pulse.sent,
                "failed": pulse.failed,
                "skipped": pulse.skipped,
                "errors": pulse.errors,
                "skipping": pulse.errors >= pulse.channel.error_limit,
                "retry_in": round(pulse.waits(now), 1),
                "because": pulse.because,
                "told": None if pulse.told_at is None else round(now - pulse.told_at, 1),
            }
            for name, pulse in self._pulses.items()
        ]

    def figures(self) -> dict[str, float | None]:
        """Deliveries as metrics."""
        return {
            "self.notify_sent": float(sum(pulse.sent for pulse in self._pulses.values())),
            "self.notify_skipped": float(sum(pulse.skipped for pulse in self._pulses.values())),
            "self.notify_share": sum(self._last) / len(self._last) if self._last else None,
        }

    def usable(self, name: str) -> bool:
        """Whether a channel is there, and would be tried now."""
        pulse = self._pulses.get(name)
        return pulse is not None and pulse.waits(self._clock.now()) == 0.0

    # Each kind's way ------------------------------------------------------------------------------------------

    async def _journal(self, channel: Channel, message: Message, timeout: float) -> Receipt:
        del channel, timeout
        arrived = self._write(message.text, _PRIORITY[message.severity], message.facts)
        return Receipt(because="the journal" if arrived else "standard error")

    async def _webhook(self, channel: Channel, message: Message, timeout: float) -> Receipt:
        headers = {"content-type": "application/cloudevents+json", **revealed(channel.headers)}
        body = json.dumps(self._event(message), allow_nan=False).encode()
        deadline = self._clock.now() + timeout
        last: ActionError | None = None
        for _ in range(_TRIES):
            left = min(channel.timeout, deadline - self._clock.now())
            if left <= 0:
                break
            try:
                reply = await send(self._http(), channel.url, "POST", headers, body, left)
            except ActionError as exc:
                # The event's id lets the receiver see a second copy for what it is, so a lost reply may be repeated.
                last = exc if not isinstance(exc, AmbiguousError) else ActionError(exc.message)
                if not exc.transient and not isinstance(exc, AmbiguousError):
                    break
                continue
            if 200 <= reply.status < 300:
                return Receipt(because=f"{channel.name}: {reply.status}", rc=reply.status, output=reply.body[:1000])
            last = ActionError(f"{channel.name} answered {reply.status}", transient=reply.status >= 500)
            if reply.status < 500:
                break
        raise last or ActionError(f"no time left to tell {channel.name}")

    def _event(self, message: Message) -> dict[str, object]:
        """A CloudEvent 1.0 in its JSON form."""
        return {
            "specversion": "1.0",
            "id": message.id,
            "source": f"/healer/{self._node}",
            "type": "healer.notification",
            "subject": message.facts.get("target", ""),
            "time": datetime.fromtimestamp(self._clock.wall(), UTC).isoformat(timespec="milliseconds"),
            "datacontenttype": "application/json",
            "data": {
                "message": message.says,
                "severity": message.severity,
                **{name: message.facts.get(name, "") for name in ("target", "rule", "incident", "intent")},
                **({"lines": list(message.lines)} if message.lines else {}),
                **({"thread": list(message.thread)} if message.thread else {}),
            },
        }

    async def _email(self, channel: Channel, message: Message, timeout: float) -> Receipt:
        email = channel.email
        if email is None:
            raise ActionError(f"{channel.name} is no mail channel", transient=False)
        from healer.drivers import smtp  # what nobody configured is not loaded

        server = smtp.Server(
            host=email.host, port=email.port, tls=email.tls, ca=email.ca, certificate=email.certificate,
            key=email.key, user=email.user, password=_secret(email.password), helo=email.helo,
        )  # fmt: skip
        letter = smtp.Letter(
            sender=email.sender,
            recipients=tuple(await self._recipients(channel, email.recipients, timeout)),
            subject=f"[{self._node}] {message.severity}: {message.says}",
            text=f"{message.text}\n\n-- \nhealer on {self._node}",
            id=message.id,
            thread=message.thread,
            at=self._clock.wall(),
            severity=message.severity,
            node=self._node,
        )
        try:
            taken = await smtp.send(server, letter, min(channel.timeout, timeout))
        except smtp.SmtpError as exc:
            raise _raised(exc, sent=exc.sent, transient=exc.transient) from exc
        because = f"{channel.name}: {taken.reply}"
        if taken.refused:
            told = "; ".join(f"{who}: {said}" for who, said in taken.refused.items())
            some = len(letter.recipients) - len(taken.refused)
            because = f"{because} for {some} of {len(letter.recipients)}; refused: {told}"
        return Receipt(because=because, rc=int(taken.reply[:3]))

    async def _sms(self, channel: Channel, message: Message, timeout: float) -> Receipt:
        made = channel.sms
        if made is None:
            raise ActionError(f"{channel.name} is no SMS channel", transient=False)
        from healer.drivers import sms

        gateway = sms.Gateway(
            url=made.url, method=made.method, headers=revealed(made.headers),
            fields={name: _secret(value) for name, value in made.body.items()},
            encoding=made.encoding, sender=made.sender, ok=made.ok, accepted=made.accepted, id=made.id,
        )  # fmt: skip
        text = f"{self._node} {message.severity}: {message.says}"
        texts = sms.parts(sms.plain(text) if made.plain else text, made.max_segments, split=made.split)
        deadline = self._clock.now() + timeout
        taken: list[str] = []
        failed: list[tuple[str, ActionError]] = []
        for who in await self._recipients(channel, made.recipients, timeout):
            try:
                taken.append(await self._one_number(channel, gateway, sms.e164(who, made.country), texts, deadline))
            except sms.SmsError as exc:
                failed.append((who, _raised(exc, sent=exc.sent, transient=exc.transient)))
            except ActionError as exc:
                failed.append((who, exc))
        told = "; ".join(f"{who}: {exc.message}" for who, exc in failed)
        if not taken:
            kind = AmbiguousError if any(isinstance(exc, AmbiguousError) for _, exc in failed) else ActionError
            if kind is AmbiguousError:
                raise AmbiguousError(f"nobody is known to have it: {told}"[:1000])
            raise ActionError(f"nobody has it: {told}"[:1000], transient=any(exc.transient for _, exc in failed))
        because = f"{channel.name}: {', '.join(taken)}"
        return Receipt(because=f"{because}; refused: {told}" if failed else because)

    async def _one_number(
        self, channel: Channel, gateway: "sms.Gateway", number: str, texts: Sequence[str], deadline: float
    ) -> str:
        """All parts to one number; returns what proves it. Raises SmsError or ActionError."""
        from healer.drivers import sms

        said = []
        for text in texts:
            left = min(channel.timeout, deadline - self._clock.now())
            if left <= 0:
                raise ActionError("no time left")
            said.append(await sms.send(self._http(), gateway, number, text, left))
        count = sum(len(sms.segments(text)) for text in texts)
        more = f", {count} segments" if count > 1 else ""
        return f"{number} ({', '.join(said)}{more})"

    async def _apprise(self, channel: Channel, message: Message, timeout: float) -> Receipt:
        from healer.drivers import apprise

        urls = [_secret(url) for url in channel.urls]
        title = f"[{self._node}] {message.severity}: {message.says}"
        try:
            said = await apprise.send(urls, title, message.text, message.severity, min(channel.timeout, timeout))
        except apprise.AppriseError as exc:
            raise _raised(exc, sent=exc.sent, transient=exc.transient) from exc
        return Receipt(because=f"{channel.name}: {said}")

    async def _recipients(self, channel: Channel, given: tuple[str, ...] | Query, timeout: float) -> Sequence[str]:
        if not isinstance(given, Query):
            return given
        if self._lookup is None:
            raise ActionError(f"{channel.name}: nothing here can ask {given.sql}", transient=False)
        try:
            found = [one.strip() for one in await self._lookup(given.sql, given.query, timeout / 2)]
        except ActionError:
            raise
        except HealerError as exc:
            raise ActionError(f"{channel.name}: who is to be told cannot be asked: {exc.message}") from exc
        # An empty selection is nobody, and that is told as what it is: a message that did not go out.
        if not any(found):
            raise ActionError(f"{channel.name}: {given.sql} names nobody to be told")
        return list(dict.fromkeys(one for one in found if one))[:MOST_RECIPIENTS]


def _secret(given: str | Secret | None) -> str:
    """A secret, read at the last moment; raises ActionError where it cannot be."""
    if not isinstance(given, Secret):
        return given or ""
    try:
        return given.reveal(os.environ)
    except HealerError as exc:
        raise ActionError(exc.message, hint=exc.hint, transient=False) from exc


def _raised(exc: HealerError, *, sent: bool, transient: bool) -> ActionError:
    """Its like among the errors of effects."""
    if sent:
        return AmbiguousError(f"{exc.message}; it may have arrived", hint=exc.hint)
    return ActionError(exc.message, hint=exc.hint, transient=transient)
