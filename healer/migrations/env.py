"""What Alembic runs around the steps: all of them in the one transaction it was handed."""

from alembic import context

from healer.store import schema

context.configure(connection=context.config.attributes["connection"], target_metadata=schema.metadata)
context.run_migrations()
