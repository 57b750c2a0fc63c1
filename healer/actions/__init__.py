"""Actions: one file per verb."""
