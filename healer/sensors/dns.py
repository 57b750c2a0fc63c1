"""Look up a name: whether it has the answers it should have, and how fast they come."""

from collections.abc import Sequence

from healer.drivers.dns import Answer, Dns, DnsError
from healer.errors import SensorError
from healer.model.observation import Reading
from healer.model.target import Target
from healer.sensors.interface import Push, TargetSensor
from healer.sensors.sane import Sieve

_MARGIN = 0.5
_DENIED = ("REFUSED", "NOTAUTH")
"""What a server says that does not serve us: it tells nothing about the name."""


class DnsSensor(TargetSensor):
    """Keys of the target: ``record``, ``type``, ``server``, ``expect``.

    The answers are facts, and so is that there is no such name. Of a server that was named, silence and failure are
    facts too; where this host's own servers are asked, nobody can tell whether it is they, the network or we.
    """

    def __init__(self, target: Target, driver: Dns) -> None:
        super().__init__(target, every=30.0, margin=_MARGIN)
        spec = target.spec
        self._dns = driver
        self._record = str(spec["record"])
        self._type = str(spec.get("type") or "A")
        self._server = str(spec.get("server") or "")
        self._expected = frozenset(str(text).rstrip(".").lower() for text in spec.get("expect") or ())

    async def open(self, push: Push) -> None:  # noqa: ARG002 - it pushes nothing
        """Load what it needs, off the loop."""
        await self._dns.open()

    async def look(self, now: float) -> Sequence[Reading]:
        """Ask once."""
        sieve = Sieve(now, self.marks)
        try:
            answer = await self._dns.ask(self._record, self._type, server=self._server, timeout=self.patience)
        except DnsError as exc:
            if not exc.fact:
                raise SensorError(exc.message, hint=exc.hint) from exc
            self._tell(sieve, exc.message)
            sieve.all_unknown(("dns.rcode", "dns.answer", "dns.answers", "dns.ttl", "dns.latency"), exc.message)
        else:
            self._judge(sieve, answer)
        self.garbage += sieve.garbage
        return sieve.readings

    def _tell(self, sieve: Sieve, because: str) -> None:
        sieve.number("dns.ok", not because)
        sieve.word("dns.message", because)

    def _judge(self, sieve: Sieve, answer: Answer) -> None:
        failed = answer.rcode not in ("NOERROR", "NXDOMAIN")
        if answer.rcode in _DENIED or (failed and not self._server):
            raise SensorError(f"{answer.server} says {answer.rcode}", hint="may this host ask it for that name?")
        self._tell(sieve, self._objection(answer))
        sieve.word("dns.rcode", answer.rcode)
        sieve.number("dns.latency", answer.took)
        if failed:
            sieve.all_unknown(("dns.answer", "dns.answers", "dns.ttl"), f"the server says {answer.rcode}")
            return
        sieve.word("dns.answer", ", ".join(answer.answers))
        sieve.number("dns.answers", len(answer.answers))
        sieve.maybe("dns.ttl", answer.ttl, "there is no answer")

    def _objection(self, answer: Answer) -> str:
        if answer.rcode != "NOERROR":
            return f"{answer.server} says {answer.rcode}"
        if not answer.answers:
            return f"there is no {self._type} record"
        found = frozenset(text.lower() for text in answer.answers)
        if self._expected and found != self._expected:
            missing, extra = sorted(self._expected - found), sorted(found - self._expected)
            parts = (f"without {', '.join(missing)}" if missing else "", f"with {', '.join(extra)}" if extra else "")
            return f"the answer came {' and '.join(part for part in parts if part)}"
        return ""
