"""The same agent in a toy world under a virtual clock."""
