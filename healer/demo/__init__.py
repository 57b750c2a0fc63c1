"""A demonstration on a real agent: victims that are broken on purpose, healed, and a log that is tampered with."""
