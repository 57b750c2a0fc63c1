"""A TLS server and its certificate."""

from healer.model.kinds.kind import Kind
from healer.model.metric import Metric, Shelf
from healer.model.unit import Unit

_SEEN = Shelf(labels=("target",), max_age=900.0)
KIND = Kind(
    name="tls",
    organ="immune",
    up="tls.ok",
    metrics=(
        _SEEN.put("tls.ok", Unit.FLAG, "1 when it agreed on TLS with a certificate that is trusted, and of its name"),
        _SEEN.put("tls.message", Unit.WORD, "why it is not ok; empty when it is"),
        _SEEN.put("tls.chain_ok", Unit.FLAG, "1 when its chain leads to a trusted certificate, and none has expired"),
        _SEEN.put("tls.name_ok", Unit.FLAG, "1 when the certificate is of the name that was asked for"),
        Metric(
            name="tls.days_left", unit=Unit.NUMBER, labels=("target",), max_age=900.0, minimum=None, falls=True,
            doc="days until the certificate expires; negative when it has",
        ),
        _SEEN.put("tls.self_signed", Unit.FLAG, "1 when it vouches for itself"),
        _SEEN.put("tls.issuer", Unit.WORD, "who signed it"),
        _SEEN.put("tls.fingerprint", Unit.WORD, "SHA-256 of the certificate, in hex: another word is another one"),
        _SEEN.put("tls.key", Unit.WORD, "algorithm of its key: rsa, ec, ed25519 ..."),
        _SEEN.put("tls.key_bits", Unit.COUNT, "size of its key; unknown where the algorithm has one size only"),
        _SEEN.put("tls.version", Unit.WORD, "what was agreed on: TLSv1.2, TLSv1.3"),
        _SEEN.put("tls.latency", Unit.SECONDS, "until the handshake was over"),
    ),
)  # fmt: skip
