"""What `healer init` finds on a host, and what it makes of it: one file per place it looks in."""
