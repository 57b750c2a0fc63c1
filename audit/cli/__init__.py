"""The auditor's commands, also as ``python -m audit`` and ``healer audit``; they need the standard library only."""

from audit.cli.main import main

__all__ = ["main"]
