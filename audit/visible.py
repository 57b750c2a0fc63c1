"""Text that an attacker may have written, made harmless for whoever reads it on a terminal."""


def visible(text: str) -> str:
    r"""Return the text on one line, with everything a terminal would obey written out.

    Control characters, changes of the reading direction, what is invisible and what no character is become ``\\u202e``
    and the like; letters of every script stay.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _written_out(one) for one in text)


def _written_out(one: str) -> str:
    code = ord(one)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cut(text: str, width: int) -> str:
    """Return at most ``width`` characters of the text; where something was cut, the end says how much."""
    if len(text) <= width:
        return text
    for digits in range(1, 9):
        kept = max(width - digits - len("… (+)"), 0)
        note = f"… (+{len(text) - kept})"
        if kept + len(note) <= width:
            return text[:kept] + note
    return text[:width]
