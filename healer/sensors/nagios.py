"""Any monitoring plugin: what it says by its exit code, its sentence, and its figures."""

from collections.abc import Sequence
from dataclasses import replace

from healer.clock import Clock
from healer.errors import ActionError, SensorError
from healer.model.kinds.nagios import NAGIOS_STATES
from healer.model.observation import Reading, labels
from healer.model.target import EMPTY, Target
from healer.sensors import perfdata
from healer.sensors.command import CommandSensor
from healer.sensors.sane import Sieve

MOST_NAMES = 256
"""Different figures of one plugin: one that makes up names is not believed."""
_SAID_NOTHING = "the plugin gives no such figure any more"


class NagiosSensor(CommandSensor):
    """Keys of the target: ``argv`` (no shell), ``user``, ``env``.

    Exit 0, 1, 2, 3 is OK, WARNING, CRITICAL, UNKNOWN. One that cannot be started, does not end in time, is killed or
    exits with anything else makes all unknown: then we know nothing but that the plugin is no good.
    """

    def __init__(self, target: Target, clock: Clock) -> None:
        env = {**(target.spec.get("env") or EMPTY), "LC_ALL": "C"}
        super().__init__(replace(target, spec={**target.spec, "env": env}), clock)
        self._names: dict[str, None] = {}
        self._refused = 0

    async def look(self, now: float) -> Sequence[Reading]:
        """Run it once."""
        start = self._clock.now()
        try:
            code, output = await self._run()
        except (ActionError, OSError) as exc:
            raise SensorError(f"cannot run {self._argv[0]}: {exc}") from exc
        said = perfdata.read(output.decode("utf-8", "replace"))
        if not 0 <= code < len(NAGIOS_STATES):
            raise SensorError(f"{self._argv[0]} exited with {code}, which is no state: {said.message[:200]}")
        sieve = Sieve(now, self.marks)
        sieve.word("nagios.state", NAGIOS_STATES[code])
        if NAGIOS_STATES[code] == "unknown":
            sieve.unknown("nagios.ok", f"the plugin says UNKNOWN: {said.message[:200]}")
        else:
            sieve.number("nagios.ok", code == 0)
        sieve.word("nagios.message", said.message)
        sieve.number("nagios.latency", self._clock.now() - start)
        self._tell_figures(sieve, said)
        self.garbage += sieve.garbage
        return sieve.readings

    def _tell_figures(self, sieve: Sieve, said: perfdata.Said) -> None:
        told = {figure.label: figure.value for figure in said.figures}
        for label in told:
            if label in self._names or len(self._names) < MOST_NAMES:
                self._names[label] = None
            else:
                self._refused += 1
        self._refused += said.garbage
        for label in self._names:
            marks = labels(target=self.target, name=label)
            value = told.get(label)
            sieve.maybe("nagios.perf", value, "the plugin cannot tell" if label in told else _SAID_NOTHING, marks)
        sieve.number("nagios.garbage", self._refused)
