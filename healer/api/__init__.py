"""The agent's faces to programs: a thin reader of the core and a poster of requests."""
