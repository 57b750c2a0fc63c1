"""What can be rebuilt: snapshots, history, the incident index."""
