"""A command as YAML: words in a list, since no shell will split them."""

import json
import re
import shlex
from typing import Any

from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Node, Scalar
from healer.yamldoc.parsers import Text
from healer.yamldoc.shape import Bad, ListOf


class Argv(ListOf):
    """A command and its arguments, each a word of its own: there is no shell that would split them."""

    def __init__(self) -> None:
        super().__init__(Text(), least=1, most=256)

    def read(self, node: Node, problems: Problems) -> tuple[Any, ...]:
        """The words."""
        words = super().read(node, problems)
        if len(words) == 1 and len(words[0].split()) > 1:
            problems.add(
                node.mark, f"a command named '{words[0][:60]}', with spaces in it", f"write {_split(words[0])}"
            )
            raise Bad
        return words

    def advice(self, node: Node) -> str:
        """The same words, apart."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return f"write {_split(node.text)}"
        return super().advice(node)


def _split(line: str) -> str:
    """A command line as a list in YAML; by way of a shell where only that understands it."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    if _SHELL.search(line):
        words = ["/bin/sh", "-c", line]
    return f"[{', '.join(word if _BARE.fullmatch(word) else json.dumps(word, ensure_ascii=False) for word in words)}]"


_SHELL = re.compile(r"[|&;<>$`]")
_BARE = re.compile(r"[A-Za-z/.-][A-Za-z0-9_/.=+@-]*", re.ASCII)
