"""The keys of each kind of target, by its name; a plug-in's kinds join them while it loads."""

from healer.config.kinds import (
    container,
    dns,
    file,
    haproxy,
    journal,
    log,
    nagios,
    postgres,
    prometheus,
    rabbitmq,
    redis,
    sql,
    tls,
    unit,
)
from healer.config.kinds.own import Own

OWN: dict[str, Own] = {
    "container": container.OWN,
    "unit": unit.OWN,
    "file": file.OWN,
    "postgres": postgres.OWN,
    "sql": sql.OWN,
    "redis": redis.OWN,
    "rabbitmq": rabbitmq.OWN,
    "log": log.OWN,
    "journal": journal.OWN,
    "nagios": nagios.OWN,
    "haproxy": haproxy.OWN,
    "tls": tls.OWN,
    "dns": dns.OWN,
    "prometheus": prometheus.OWN,
}
