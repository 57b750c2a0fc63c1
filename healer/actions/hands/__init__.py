"""What can be done to each kind of target beyond start, stop and restart, in a file per kind."""
