"""Replay: the same core over what was recorded, in virtual time."""
