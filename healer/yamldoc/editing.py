"""Makes a JSON Schema pleasant in an editor: every part has a title, which hovers and completions show."""

from healer.yamldoc.shape import Schema

_LISTS = ("anyOf", "oneOf", "allOf")
_TABLES = ("properties", "$defs")


def titled(schema: Schema, title: str = "") -> Schema:
    """The same schema with titles: the key, the ``kind``, or the one key that tells a form from its neighbours.

    yaml-language-server calls what has no title after the whole document, a hundred times in one list.
    """
    own = str(schema.get("title", "")) or _form(schema) or title
    made: Schema = ({"title": own} if own else {}) | schema
    for word in _TABLES:
        if word in schema:
            made[word] = {key: titled(part, key) for key, part in schema[word].items()}
    for word in _LISTS:
        if word in schema:
            made[word] = [titled(part, own) for part in schema[word]]
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            made[word] = titled(schema[word], title)
    return made


def _form(schema: Schema) -> str:
    """What tells a form from its neighbours: its constant ``kind``, or the one key that it must have."""
    if kind := schema.get("properties", {}).get("kind", {}).get("const"):
        return str(kind)
    required = schema.get("required", ())
    return str(required[0]) if len(required) == 1 else ""
