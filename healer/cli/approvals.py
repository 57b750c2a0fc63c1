"""``healer approvals``, ``approve`` and ``deny``: what the agent asks people for, and their answer."""

import click

from healer.cli import show
from healer.cli.ask import ask
from healer.cli.client import Client
from healer.cli.settings import Command, settings

because_option = click.option("--because", default="", metavar="TEXT", help="Why; it is sealed.")


@click.command(cls=Command)
def approvals() -> int:
    """List what waits for somebody's yes, the most urgent first; no answer is a no."""
    given = settings()
    found = Client(given).get("/approvals")["approvals"]
    if given.json:
        show.as_json({"approvals": found})
        return 0
    rows = [
        (
            one["id"],
            f"{one['action']} {one['target']}",
            one["rule"],
            show.ago(one["asked"]),
            show.ago(one["left"]),
            one["because"],
        )
        for one in found
    ]
    show.table(given, ("ID", "WHAT", "RULE", "ASKED", "LEFT", "BECAUSE"), rows, empty="nothing waits for an answer")
    return 0


@click.command(cls=Command)
@click.argument("approval", metavar="ID")
@because_option
def approve(*, approval: str, because: str) -> int:
    """Say yes to ID: it is proved once more, and done at once or not at all."""
    return _answer("approve", approval, because)


@click.command(cls=Command)
@click.argument("approval", metavar="ID")
@because_option
def deny(*, approval: str, because: str) -> int:
    """Say no to ID: what it is about is left as it is until `healer ack`, or until its rule re-arms."""
    return _answer("deny", approval, because)


def _answer(verb: str, approval: str, because: str) -> int:
    return ask(verb, "agent", {"id": approval, "because": because} if because else {"id": approval})
