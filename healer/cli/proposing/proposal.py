"""One thing that could be looked after, and the organ it serves."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_NAME = re.compile(r"[^A-Za-z0-9._@-]+")
_STOMACH = re.compile(
    r"postgres|pgbouncer|mysqld?|mariadbd?|mongo|redis|valkey|memcached|rabbitmq|beam\.smp|kafka|clickhouse|etcd|minio"
)
_LUNGS = re.compile(
    r"nginx|haproxy|apache2|httpd|caddy|traefik|envoy|lighttpd|squid|varnish|bind9|named|unbound|dnsmasq"
)
_IMMUNE = re.compile(r"fail2ban|clam|auditd|apparmor|ssh|ufw|nftables|firewalld|crowdsec|wazuh|vault")
_NERVOUS = re.compile(
    r"prometheus|exporter|grafana|telegraf|syslog|chrony|ntp|zabbix|collectd|alertmanager|loki|vector"
)
_MUSCLES = re.compile(r"worker|celery|sidekiq|gunicorn|uwsgi|puma|resque|runner|cron|atd")
ORGANS = (("stomach", _STOMACH), ("lungs", _LUNGS), ("immune", _IMMUNE), ("nervous", _NERVOUS), ("muscles", _MUSCLES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One thing that could be looked after."""

    kind: str
    name: str
    organ: str
    because: str
    """What was seen of it."""
    keys: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""
    """What somebody has to do before it can be looked at whole; never a password, which goes elsewhere."""

    @property
    def id(self) -> str:
        """``kind:name``."""
        return f"{self.kind}:{self.name}"


def clean(name: str) -> str:
    """A name somebody else chose, as one that may stand in organism.yaml."""
    return _NAME.sub("-", name).lstrip(".-@")[:100] or "unnamed"


def organ_of(name: str) -> str:
    """Databases and brokers digest, proxies breathe, guards guard, watchers watch, workers work; the rest is heart."""
    return next((organ for organ, pattern in ORGANS if pattern.search(name)), "heart")
