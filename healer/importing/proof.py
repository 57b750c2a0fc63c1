"""Whether what was written loads: the same reading that `healer check` does, before anything is written down."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from healer.config import load_config
from healer.config.files import rule_files
from healer.errors import ConfigError
from healer.rules import review
from healer.rules.load import load
from healer.rules.vitals import check_vital


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What `healer check` says of it."""

    problems: tuple[str, ...] = ()
    """Mistakes: it does not load."""
    findings: tuple[str, ...] = ()
    """It loads, and a person should look at this."""


def prove(documents: Mapping[str, str]) -> Proof:
    """Check documents (relative path to text) in a folder of their own; ``organism.yaml`` is one of them."""
    with tempfile.TemporaryDirectory(prefix="healer-import-") as folder:
        root = Path(folder)
        for name, text in documents.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return _checked(root)


def _checked(root: Path) -> Proof:
    def shown(text: str) -> str:
        return text.replace(f"{root}/", "")

    try:
        # No variable of this machine changes what was imported.
        config = load_config(root / "organism.yaml", environ={}, check=check_vital)
    except ConfigError as exc:
        return Proof(problems=tuple(map(shown, exc.problems or (str(exc),))))
    try:
        rules = load(rule_files(config.rules), base=root)
    except ConfigError as exc:
        return Proof(problems=tuple(map(shown, exc.problems or (str(exc),))))
    return Proof(findings=tuple(shown(str(one)) for one in review.findings(rules, config)))
