"""Lengths of time as one would write them in a rule."""


def briefly(seconds: float) -> str:
    """``90s``, ``10m``, ``2h``, ``1d``: whole units only, so that nothing is rounded away."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s" if seconds >= 1 or not seconds else f"{seconds * 1e3:g}ms"
