"""What editors and people are told about rule files: JSON Schema and reference, from the shapes that also read them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from healer.model.verbs import VERBS
from healer.model.vocabulary import METRICS
from healer.rules import conditions, fields, steps, suite_fields
from healer.rules.steps import Steps
from healer.yamldoc.document import json_schema
from healer.yamldoc.reference import table
from healer.yamldoc.shape import ListOf, Record

_WHERE = "https://healer.invalid/schema"
MARK = "<!-- made by healer.rules.schema: do not edit below -->"


def rules_schema() -> Mapping[str, Any]:
    """JSON Schema (draft 2020-12) of a file of rules."""
    shape = fields.document(METRICS, VERBS)
    definitions = {"condition": conditions.definition()} | steps.definitions(VERBS, METRICS)
    identity = f"{_WHERE}/rules-1.json"
    return json_schema(shape, title="Rules of Healer", identity=identity, definitions=definitions)


def suite_schema() -> Mapping[str, Any]:
    """JSON Schema (draft 2020-12) of a file of tests of rules."""
    return json_schema(suite_fields.shape(), title="Tests of rules of Healer", identity=f"{_WHERE}/rule-tests-1.json")


def reference() -> str:
    """The tables of docs/rules.md, as Markdown."""
    rule = Record(*fields.rule_fields(METRICS, VERBS))
    shape = rule.fields["then"].shape
    step = shape.shape if isinstance(shape, ListOf) else shape
    parts = ["### Keys of a rule\n", table(rule)]
    if isinstance(step, Steps):
        parts += ["### Keys any step may have\n", table(step.common)]
        parts += [_control(word, record) for word, record in step.controls.items()]
        parts += ["### Verbs\n", _verbs(step)]
    return "\n".join(parts)


def _control(word: str, record: Record) -> str:
    return f"### A step with `{word}` instead of a verb\n\n{table(record)}"


def _verbs(step: Steps) -> str:
    parts = []
    for name, verb in VERBS.items():
        kinds = "anything, or nothing" if verb.kinds == ("*",) else ", ".join(verb.kinds)
        short = f" `{name}: VALUE` is short for `{name}: {{{verb.short}: VALUE}}`." if verb.short else ""
        params = step.params[name]
        parts.append(f"**`{name}`** ({kinds}). {verb.doc}{short}\n")
        if params.fields:
            parts.append(table(params))
    return "\n".join(parts)


def main_page(page: str) -> str:
    """docs/rules.md with its reference brought up to date; what is written by hand is kept."""
    return _with(page, reference())


def suite_page(page: str) -> str:
    """The same for docs/testing-rules.md."""
    return _with(page, f"### Keys of a file of tests\n\n{table(suite_fields.shape())}")


def _with(page: str, made: str) -> str:
    head, _, _ = page.partition(MARK)
    return f"{head}{MARK}\n\n{made}"


def pages(folder: Path) -> None:
    """Bring both up to date where they lie."""
    for name, renew in (("rules.md", main_page), ("testing-rules.md", suite_page)):
        path = folder / name
        path.write_text(renew(path.read_text(encoding="utf-8")), encoding="utf-8")
