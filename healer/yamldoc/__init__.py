"""YAML as people write it, read strictly: every mistake at once, each at its ``file:line:col`` with a hint."""
