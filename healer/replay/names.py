"""Names of series as recordings write them: ours, or Prometheus' with dots gone."""

from healer.errors import HealerError
from healer.model.observation import Series, labels
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.syntax import Select

PREFIX = "healer_"
_OURS = {PREFIX + name.replace(".", "_").replace("-", "_"): name for name in METRICS}


def written(text: str) -> Series:
    """A series written as in a rule: ``disk.used{mount="/"}``. Raises HealerError where it is no one series."""
    found = expression.parse(text, vocabulary=METRICS)
    if not isinstance(found, Select) or any(one.op != "=" or one.value is None for one in found.matchers):
        raise HealerError(f"{text[:80]!r} names no one series", hint='write it as disk.used{mount="/"}')
    return Series(found.metric, labels(**{one.label: str(one.value) for one in found.matchers}))


def exposed(name: str, marks: dict[str, str]) -> Series | None:
    """The series behind a name of Prometheus: as our own /metrics writes them; None where it is none of ours."""
    ours = _OURS.get(name) or (name if name in METRICS else None)
    if ours is None:
        return None
    kept = {key: value for key, value in marks.items() if key not in {"__name__", "job", "instance"}}
    return Series(ours, labels(**kept))
