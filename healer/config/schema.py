"""What editors are told about organism.yaml: a JSON Schema from the shapes that also read it."""

from collections.abc import Mapping
from typing import Any

from healer.config import fields
from healer.yamldoc.document import json_schema


def config_schema() -> Mapping[str, Any]:
    """JSON Schema (draft 2020-12) of organism.yaml."""
    identity = "https://healer.invalid/schema/organism-1.json"
    return json_schema(fields.document(), title="Configuration of Healer", identity=identity)
