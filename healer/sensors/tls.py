"""Shake hands with a TLS server: whether its certificate is trusted, of its name, and for how long still."""

from collections.abc import Sequence
from datetime import UTC, datetime

from healer.clock import Clock
from healer.drivers import tls
from healer.drivers.tls import Certificate, Place, Tls, TlsError
from healer.errors import SensorError
from healer.model.kinds.tls import KIND
from healer.model.observation import Reading
from healer.model.target import Target
from healer.sensors.down import tell_down
from healer.sensors.interface import TargetSensor
from healer.sensors.sane import Sieve

_MARGIN = 0.5
_DAY = 86400.0


class TlsSensor(TargetSensor):
    """Keys of the target: ``host``, ``port``, ``server_name``, ``ca``, ``starttls``.

    No connection, no handshake, a certificate that has expired or is another's are facts (``tls.ok`` 0, with the
    reason). A name that cannot be looked up, or trusted certificates of ours that cannot be read, make all unknown.
    """

    def __init__(self, target: Target, driver: Tls, clock: Clock) -> None:
        super().__init__(target, every=300.0, margin=_MARGIN)
        spec = target.spec
        self._tls = driver
        self._clock = clock
        self._place = Place(
            host=str(spec["host"]),
            port=int(spec.get("port") or 443),
            server_name=str(spec.get("server_name") or ""),
            ca=str(spec.get("ca") or ""),
            starttls=str(spec.get("starttls") or ""),
        )

    async def look(self, now: float) -> Sequence[Reading]:
        """Shake hands once."""
        sieve, start = Sieve(now, self.marks), self._clock.now()
        try:
            shown = await self._tls.ask(self._place, timeout=self.patience)
            took = self._clock.now() - start
            certificate = tls.describe(shown.leaf)
        except TlsError as exc:
            if not exc.fact:
                raise SensorError(exc.message, hint=exc.hint) from exc
            tell_down(sieve, KIND, exc.message)
        else:
            sieve.number("tls.latency", took)
            sieve.word("tls.version", shown.version)
            self._judge(sieve, certificate, shown.distrust)
        self.garbage += sieve.garbage
        return sieve.readings

    def _judge(self, sieve: Sieve, found: Certificate, distrust: str) -> None:
        right = tls.matches(found.names, self._place.name)
        because = [distrust] if distrust else []
        if not right:
            because.append(f"it is for {', '.join(found.names[:4]) or 'no name'}, not for {self._place.name}")
        sieve.number("tls.ok", not because)
        sieve.word("tls.message", "; ".join(because))
        sieve.number("tls.chain_ok", not distrust)
        sieve.number("tls.name_ok", right)
        sieve.number("tls.days_left", days_left(found, self._clock.wall()))
        sieve.number("tls.self_signed", found.self_signed)
        sieve.word("tls.issuer", found.issuer)
        sieve.word("tls.fingerprint", found.fingerprint)
        sieve.word("tls.key", found.key)
        if found.bits is None:
            sieve.unknown("tls.key_bits", f"{found.key} keys have one size")
        else:
            sieve.number("tls.key_bits", found.bits)


def days_left(found: Certificate, wall: float) -> float:
    """Days until it expires, at wall-clock second ``wall``."""
    return (found.not_after - datetime.fromtimestamp(wall, UTC)).total_seconds() / _DAY
