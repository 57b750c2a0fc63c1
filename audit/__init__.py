"""The sealed log: written by the agent, verifiable by anyone who has this folder, a key and an anchor."""
