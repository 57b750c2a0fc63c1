"""Reasons to say no, one per file, and the one function that asks them all."""
