"""A self-healing supervisor for Linux hosts: it looks, decides, seals, heals and verifies."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from healer.app import Agent

__version__ = "0.1.0"

__all__ = ["Agent", "__version__"]


def __getattr__(name: str) -> object:
    """Import the agent when it is asked for: ``healer --version`` should not pay for what it does not use."""
    if name == "Agent":
        return import_module("healer.app").Agent
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
