"""The sealed log: what was meant, what was done, and proof that nobody changed the story since."""
