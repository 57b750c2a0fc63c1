"""Shapes that many keys of the configuration share."""

from healer.model.mode import Mode
from healer.yamldoc.argv import Argv
from healer.yamldoc.parsers import NAME, Text, Word
from healer.yamldoc.shape import Mistake

MODES = Word((mode.word for mode in Mode), means=Mode.parse)
NAMED = Text(pattern=NAME, called="a name")
ARGV = Argv()


def http_url(text: str) -> str:
    """An http or https address without a password in it; raises Mistake."""
    scheme, _, rest = text.partition("://")
    host = rest.split("/", 1)[0]
    if scheme not in {"http", "https"} or not host or any(char.isspace() for char in text):
        raise Mistake(f"'{text[:60]}' is not an address", "http://... or https://...")
    if "@" in host:
        raise Mistake("a password in an address", "name it: headers: {Authorization: {credential: NAME}}")
    return text


def address(text: str) -> str:
    """``host:port``; raises Mistake."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port[:6]) < 65536 or any(char.isspace() for char in host):
        raise Mistake(f"'{text[:60]}' is not host:port", "127.0.0.1:8080, or [::1]:8080")
    return text


URL = Text(called="an http or https address", parse=http_url)


def _path(text: str) -> str:
    if not text.startswith("/") or "\0" in text:
        raise Mistake(f"'{text[:60]}' is not an absolute path", "begin it with /")
    return text


PATH = Text(called="an absolute path", parse=_path)
