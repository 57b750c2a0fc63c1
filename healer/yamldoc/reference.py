"""The reference of a document, made from its shape, so that it cannot fall behind."""

from collections.abc import Iterator

from healer.yamldoc.shape import ByKind, Field, ListOf, MapOf, Record, Shape


def keys(shape: Shape, prefix: str = "") -> Iterator[tuple[str, Field]]:
    """Every key with its path (``limits[].max``, ``organs.NAME.weight``), each before what lies below it."""
    if isinstance(shape, ListOf):
        yield from keys(shape.shape, f"{prefix}[]")
    elif isinstance(shape, MapOf):
        yield from keys(shape.shape, f"{prefix}.NAME" if prefix else "NAME")
    elif isinstance(shape, ByKind):
        for word, record in shape.kinds.items():
            yield from keys(record, f"{prefix}({word})")
    elif isinstance(shape, Record):
        for field in shape.fields.values():
            path = f"{prefix}.{field.name}" if prefix else field.name
            yield path, field
            yield from keys(field.shape, path)


def table(shape: Shape, prefix: str = "") -> str:
    """The keys as a Markdown table."""
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for path, field in keys(shape, prefix):
        default = "required" if field.required else (f"`{field.shown}`" if field.shown else "")
        value = field.shape.expected().replace("|", "\\|")
        lines.append(f"| `{path}` | {value} | {default} | {field.doc.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"
