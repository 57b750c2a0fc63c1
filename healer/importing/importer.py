"""One import from its files to its documents."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from healer.errors import ConfigError
from healer.importing import avena, emit, monit, sources, supervisord, symbiotic
from healer.importing.avena_clients import Told
from healer.importing.harvest import Harvest, Made, slug
from healer.importing.proof import Proof, prove
from healer.yamldoc.mark import Mark, Problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of it."""

    harvest: Harvest
    documents: Mapping[str, str]
    """Relative path to text; ``organism.yaml`` is the proposal."""
    problems: tuple[str, ...]
    """Files, or places in them, that could not be read, as ``file:line:col: what (hint)``."""
    proof: Proof


def bring(path: Path, *, wanted: str = "auto", mode: str = "observe", clients: Sequence[Told] = ()) -> Imported:
    """Read a file or a folder; raises ConfigError where nothing in it could be read.

    ``clients`` are those of an orchestrator, where its configuration is not among the files.
    """
    problems, harvest = Problems(), Harvest(mode)
    paths = sources.files(path)
    if not paths:
        raise ConfigError(
            f"{path}: no file to import", problems=(f"{path}: no file to import (*.json, *.conf, monitrc)",)
        )
    found = list(sources.read(paths, wanted, problems))
    if not found:
        raise problems.error("import")
    _gather(found, harvest, problems, clients)
    documents, proof = _proved(harvest, path)
    told = tuple(harvest.hide(str(one)) for one in sorted(set(problems.found)))
    return Imported(harvest=harvest, documents=documents, problems=told, proof=proof)


def _gather(found: Sequence[sources.Found], harvest: Harvest, problems: Problems, clients: Sequence[Told]) -> None:
    seen = {one.path.resolve() for one in found}
    queue = list(found)
    # Scenarios start each other, and share their clients: they are read together.
    avena.read([one.root for one in found if one.format == "avena" and one.root is not None], harvest, clients)
    while queue:
        one = queue.pop(0)
        if one.format == "supervisord":
            supervisord.read(one.text, one.name, harvest, problems)
            for setting in supervisord.includes(one.text, one.name):
                queue += _included(one, setting.value, setting.mark, seen, harvest, problems)
        elif one.format == "monit":
            monit.read(one.text, one.name, harvest, problems)
            for word in monit.includes(one.text, one.name):
                queue += _included(one, word.text, word.mark, seen, harvest, problems)
        elif one.format == "symbiotic" and one.root is not None:
            symbiotic.read(one.root, harvest)


def _included(
    one: sources.Found, pattern: str, mark: Mark, seen: set[Path], harvest: Harvest, problems: Problems
) -> list[sources.Found]:
    """Files an include names; only below the folder of the file that names them."""
    folder = one.path.resolve().parent
    outside = f"{pattern} lies outside the folder of this file: import it by itself"
    if pattern.startswith("/") and not Path(pattern).is_relative_to(folder):
        harvest.left(mark, f"include {pattern}", outside)
        return []
    relative = str(Path(pattern).relative_to(folder)) if pattern.startswith("/") else pattern
    if ".." in Path(relative).parts:
        harvest.left(mark, f"include {pattern}", outside)
        return []
    try:
        paths = [path for path in sorted(folder.glob(relative)) if path.is_file()]
    except ValueError:
        paths = []
    inside = [path for path in paths if path.resolve().is_relative_to(folder)]
    if len(inside) < len(paths) or not inside:
        harvest.left(mark, f"include {pattern}", outside if len(inside) < len(paths) else "no file matches it")
    fresh = [path for path in inside if path.resolve() not in seen]
    seen.update(path.resolve() for path in fresh)
    if inside:
        harvest.carried(mark, f"include {pattern}", f"{len(inside)} files read as well")
    return list(sources.read(fresh, one.format, problems))


def _proved(harvest: Harvest, path: Path) -> tuple[dict[str, str], Proof]:
    """The documents, and what check says; what check refuses is made a comment, and told."""
    while True:
        documents, spans = _documents(harvest, path)
        proof = prove(documents)
        refused = [(made, one) for one in proof.problems if (made := _made_at(one, spans)) is not None]
        if not refused:
            return documents, proof
        for made, problem in refused:
            what = problem.split(": ", 1)[1]
            if not made.missing:
                called = made.body.get("id") or made.body.get("name")
                harvest.left(made.mark, f"what was made of it ({called})", f"healer check refuses it: {what}")
            made.missing.append(f"healer check: {what}")


def _made_at(problem: str, spans: Mapping[str, emit.Spans]) -> Made | None:
    """The piece a mistake stands in, unless it is a comment already: ``file:line:col: what``."""
    found = re.match(r"([^:]+):(\d+):\d+: ", problem)
    before = [made for line, made in spans.get(found[1], ()) if line <= int(found[2])] if found else []
    return before[-1] if before and not before[-1].missing else None


def _documents(harvest: Harvest, path: Path) -> tuple[dict[str, str], dict[str, emit.Spans]]:
    stem = slug(path.stem) or "imported"
    whole = any(not made.missing for made in harvest.rules)
    # Without one complete rule it is no file of rules: another name keeps it from being loaded.
    name = f"rules.d/{stem}.yaml" if whole else f"rules.d/{stem}.incomplete.txt"
    text, spans = emit.organism(harvest, path.name, [name] if whole else [])
    documents, places = {"organism.yaml": harvest.hide(text)}, {"organism.yaml": spans}
    if harvest.rules:
        text, places[name] = emit.rules(harvest, path.name)
        documents[name] = harvest.hide(text)
    return documents, places
