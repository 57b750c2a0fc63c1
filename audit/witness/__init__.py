"""Witnesses: whoever remembers how far a log had come, and signs for it (c2sp.org/tlog-witness)."""
