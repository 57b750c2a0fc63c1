"""One YAML file, from path to value."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healer.yamldoc import source
from healer.yamldoc.compose import compose
from healer.yamldoc.editing import titled
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import Node, Scalar
from healer.yamldoc.shape import Schema, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file that has structure, though its meaning was not looked at yet."""

    name: str
    sha256: str
    root: Node


def read(path: Path, problems: Problems, *, name: str = "") -> Document | None:
    """Read one file; None with problems noted where it cannot be read, is not YAML, or is empty."""
    found = source.read(path, problems, name)
    if found is None:
        return None
    root = compose(found.text, found.name, problems)
    if root is None or (isinstance(root, Scalar) and root.value is None):
        if not problems or problems.found[-1].mark.file != found.name:
            problems.add(Mark(file=found.name, line=1, column=1), "the file is empty", "it must begin with version: 1")
        return None
    return Document(name=found.name, sha256=found.sha256, root=root)


def text(words: str, shape: Shape, problems: Problems, *, name: str = "text") -> Any:  # noqa: ANN401 - see Shape
    """Read a value out of a text; raises Bad, with the problems noted."""
    root = compose(words, name, problems)
    if root is None:
        root = Scalar(mark=Mark(file=name, line=1, column=1), value=None, text="")
    return shape.read(root, problems)


def json_schema(
    shape: Shape, *, title: str, identity: str, definitions: Mapping[str, Schema] | None = None
) -> Mapping[str, Any]:
    """A whole JSON Schema document (draft 2020-12) for editors; ``definitions`` are what its shapes refer to."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": identity, "title": title}
    made = head | shape.schema()
    return titled(made | {"$defs": dict(definitions)} if definitions else made)
