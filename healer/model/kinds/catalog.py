"""Every kind of target there is, written down; a plug-in's kinds join them while it loads."""

from types import MappingProxyType

from healer.errors import ConfigError
from healer.model.kinds import (
    container,
    dns,
    haproxy,
    journal,
    log,
    nagios,
    postgres,
    probes,
    process,
    program,
    prometheus,
    rabbitmq,
    redis,
    sql,
    tls,
    unit,
)
from healer.model.kinds.kind import Kind
from healer.model.organism import ORGANS

_kinds: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        program.KIND,
        process.KIND,
        container.KIND,
        unit.KIND,
        haproxy.KIND,
        tls.KIND,
        dns.KIND,
        prometheus.KIND,
        postgres.KIND,
        sql.KIND,
        redis.KIND,
        rabbitmq.KIND,
        probes.HTTP,
        probes.TCP,
        probes.FILE,
        probes.COMMAND,
        log.KIND,
        journal.KIND,
        nagios.KIND,
    )
}
KINDS = MappingProxyType(_kinds)
"""By name."""


def join(kind: Kind) -> None:
    """Take up a plug-in's kind; raises ConfigError for a name that is taken, or metrics that are not its own."""
    if kind.name in _kinds:
        raise ConfigError(f"there is a kind {kind.name} already")
    foreign = [metric.name for metric in kind.metrics if not metric.name.startswith(f"{kind.name}.")]
    if foreign or kind.up not in {metric.name for metric in kind.metrics}:
        raise ConfigError(
            f"the metrics of kind {kind.name} are not its own: {', '.join(foreign) or kind.up}",
            hint=f"begin their names with {kind.name}. and declare {kind.up} among them",
        )
    if kind.organ not in ORGANS:
        raise ConfigError(f"{kind.organ} is no organ", hint=f"one of: {', '.join(ORGANS)}")
    unlabelled = [metric.name for metric in kind.metrics if "target" not in metric.labels]
    if unlabelled:
        raise ConfigError(f"without the label target: {', '.join(unlabelled)}")
    _kinds[kind.name] = kind


def leave(name: str) -> None:
    """Forget a plug-in's kind again."""
    del _kinds[name]
