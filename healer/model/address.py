"""Addresses in numbers, as people write them: no name to look up, so nothing that can hang or lie."""

import ipaddress


def numeric(text: str, port: int = 0) -> tuple[str, int]:
    """Host and port of ``192.0.2.1``, ``192.0.2.1:53``, ``2001:db8::1`` or ``[2001:db8::1]:53``; raises ValueError.

    ``port`` is the one meant where none is written; 0: one must be.
    """
    host, written = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        written = rest.removeprefix(":")
        if not bracket or (rest and not written):
            raise ValueError(f"'{text[:60]}' is no address")
    elif text.count(":") == 1:
        host, _, written = text.partition(":")
        if not written:
            raise ValueError(f"'{text[:60]}' names no port")
    number = int(written) if written.isdecimal() and len(written) < 6 else 0 if written else port
    if not 0 < number < 65536:
        raise ValueError(f"'{text[:60]}' names no port")
    return str(ipaddress.ip_address(host)), number


def loopback(host: str) -> bool:
    """Whether only this host can be reached by it."""
    return ipaddress.ip_address(host).is_loopback
