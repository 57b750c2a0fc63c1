"""Whether more come in than go out: a function for conditions."""

from healer.plugin import condition


@condition
def crowded(files: float, most: float) -> bool:
    """More than nine tenths of what there may be."""
    return files > 0.9 * most
