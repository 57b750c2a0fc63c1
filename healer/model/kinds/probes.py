"""What is asked from outside: web addresses, ports, commands, files."""

from collections.abc import Iterator

from healer.model.kinds.kind import Kind
from healer.model.metric import Metric, Shelf
from healer.model.unit import Unit

PROBE = Shelf(labels=("target",), max_age=60.0)


def replied(kind: str) -> Iterator[Metric]:
    """What a JSON reply can say."""
    yield PROBE.put(f"{kind}.metric", Unit.NUMBER, "a further number of its JSON reply", "name")
    yield PROBE.put(f"{kind}.state", Unit.WORD, "the state its JSON reply names")
    yield PROBE.put(f"{kind}.error", Unit.FLAG, "1 when its JSON reply says there is an error")
    yield PROBE.put(f"{kind}.message", Unit.WORD, "what its reply says, or why the look found it not ok")


HTTP = Kind(
    name="http",
    organ="lungs",
    up="http.ok",
    metrics=(
        PROBE.put("http.ok", Unit.FLAG, "1 when the answer came in time and was as expected"),
        PROBE.put("http.latency", Unit.SECONDS, "until the whole answer had come"),
        PROBE.put("http.status", Unit.NUMBER, "status code of the answer"),
        *replied("http"),
    ),
)
TCP = Kind(
    name="tcp",
    organ="lungs",
    up="tcp.ok",
    metrics=(
        PROBE.put("tcp.ok", Unit.FLAG, "1 when the port took a connection in time"),
        PROBE.put("tcp.latency", Unit.SECONDS, "until the connection stood"),
    ),
)
COMMAND = Kind(
    name="command",
    organ="heart",
    up="command.ok",
    metrics=(
        PROBE.put("command.ok", Unit.FLAG, "1 when it exited 0 and reported no error"),
        PROBE.put("command.rc", Unit.NUMBER, "exit code, 128 + N for signal N"),
        PROBE.put("command.latency", Unit.SECONDS, "until it exited"),
        PROBE.put("command.value", Unit.NUMBER, "the number it printed"),
        *replied("command"),
    ),
)
FILE = Kind(
    name="file",
    organ="stomach",
    up="file.exists",
    serves=False,
    metrics=(
        PROBE.put("file.exists", Unit.FLAG, "1 when the path exists"),
        PROBE.put("file.size", Unit.BYTES, "its size"),
        PROBE.put("file.age", Unit.SECONDS, "since its content last changed"),
        PROBE.put("file.checksum", Unit.WORD, "SHA-256 of its content, in hex"),
        PROBE.put("file.mode", Unit.WORD, "permission bits in octal, four digits: 0644"),
        PROBE.put("file.owner", Unit.WORD, "user:group, by name where they have one"),
        PROBE.put("file.match", Unit.FLAG, "1 when the text of `match` occurs in its first `max_size` bytes"),
    ),
)
