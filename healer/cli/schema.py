"""``healer schema``: JSON Schemas for editors."""

import json

import click

from healer.cli.settings import Command


@click.command(cls=Command)
@click.argument("what", type=click.Choice(["rules", "config", "tests"]), default="rules")
def schema(*, what: str) -> int:
    """Print the JSON Schema of rules, of organism.yaml (config) or of rule tests."""
    click.echo(json.dumps(_of(what), indent=2))
    return 0


def _of(what: str) -> object:
    from healer.rules import schema as of_rules

    if what == "config":
        from healer.config import fields
        from healer.yamldoc.document import json_schema

        return json_schema(
            fields.document(None), title="organism.yaml", identity="https://healer.invalid/schema/config"
        )
    return of_rules.rules_schema() if what == "rules" else of_rules.suite_schema()
