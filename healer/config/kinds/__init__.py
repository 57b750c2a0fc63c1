"""The keys of each kind of target that is a system of its own, in a file per kind."""
