"""One name, asked of a name server."""

from healer.model.kinds.kind import Kind
from healer.model.metric import Shelf
from healer.model.unit import Unit

_SEEN = Shelf(labels=("target",), max_age=120.0)
KIND = Kind(
    name="dns",
    organ="lungs",
    up="dns.ok",
    metrics=(
        _SEEN.put("dns.ok", Unit.FLAG, "1 when there are answers, and those that were expected"),
        _SEEN.put("dns.message", Unit.WORD, "why it is not ok; empty when it is"),
        _SEEN.put("dns.rcode", Unit.WORD, "what the server says: NOERROR, NXDOMAIN (no such name), SERVFAIL ..."),
        _SEEN.put("dns.answer", Unit.WORD, "the answers, sorted, with commas between them"),
        _SEEN.put("dns.answers", Unit.COUNT, "how many"),
        _SEEN.put("dns.ttl", Unit.SECONDS, "how long the shortest-lived of them may be kept"),
        _SEEN.put("dns.latency", Unit.SECONDS, "until the answer came"),
    ),
)
