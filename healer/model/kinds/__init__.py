"""The kinds of target, each declared as data in a file of its own."""
