"""Clients of outside systems, shared by a sensor and an action."""
