"""The red team's kit: every attack known on a sealed log, tried on a copy, and what each auditor sees of it."""
