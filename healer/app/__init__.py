"""The agent and its owner."""

from healer.app.agent import Agent

__all__ = ["Agent"]
