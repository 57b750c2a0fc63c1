"""Keys of a systemd unit."""

from healer.config.kinds.own import Own

OWN = Own(fields=(), every=5.0, shown="5s")
