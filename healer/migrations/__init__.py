"""The steps from one form of state.db to the next; run once, in a process of their own, by Alembic."""
