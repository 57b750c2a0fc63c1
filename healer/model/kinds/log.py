"""Log files."""

from healer.model.kinds.kind import Kind
from healer.model.kinds.matching import SEEN, matching
from healer.model.unit import Unit

KIND = Kind(
    name="log",
    organ="nervous",
    up="log.up",
    metrics=(
        SEEN.put("log.up", Unit.FLAG, "1 when there is such a file"),
        SEEN.put("log.message", Unit.WORD, "what of it cannot be read, and why; empty when all can"),
        SEEN.put("log.files", Unit.COUNT, "files of that name, or of that pattern"),
        SEEN.put("log.silence", Unit.SECONDS, "since something was last written"),
        SEEN.put("log.lines", Unit.COUNT, "lines read since it is followed"),
        SEEN.put("log.lag", Unit.BYTES, "written, and not read yet"),
        SEEN.put("log.lagging", Unit.FLAG, "1 while more is written than is read"),
        SEEN.put("log.skipped", Unit.BYTES, "passed over unread since it is followed: the backlog was too large"),
        SEEN.put("log.cut", Unit.COUNT, "lines of which only the first 16 KiB were looked at"),
        SEEN.put("log.turned", Unit.COUNT, "times a file was renamed, cut or written anew"),
        SEEN.put("log.gaps", Unit.COUNT, "files that went away with lines nobody had read"),
        *matching("log"),
    ),
    serves=False,
)
