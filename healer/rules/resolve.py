"""Conditions about a selection of targets, once it is known who that is."""

from collections.abc import Iterable
from dataclasses import replace

from healer.model.target import Target
from healer.rules import combine
from healer.rules.chosen import listed
from healer.rules.rule import Selector
from healer.rules.select import matches
from healer.rules.syntax import Chosen, Compare, Expr, Leaf, Matcher, Word, rebuild, walk
from healer.rules.units import own


def resolve(expr: Expr, targets: Iterable[Target]) -> Expr:
    """The same expression, with every selection written out; one that means nobody stays, and is unknown for ever."""
    if not any(isinstance(node, Chosen) for node in walk(expr)):
        return expr
    known = tuple(targets)

    def written_out(node: Leaf) -> Expr:
        return _written_out(node, known) if isinstance(node, Chosen) else node

    return rebuild(expr, written_out)


def meant(node: Chosen, targets: Iterable[Target]) -> list[str]:
    """Ids of the targets a selection means."""
    given = dict(node.criteria)
    selector = Selector(
        kind=given.get("kind", ""),
        name=given.get("name", ""),
        organ=given.get("organ", ""),
        group=listed(given["group"]) if "group" in given else (),
        label=tuple(_pair(text) for text in listed(given["label"])) if "label" in given else (),
        except_=listed(given["except"]) if "except" in given else (),
    )
    return [target.id for target in targets if matches(selector, target)]


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()


def _written_out(node: Chosen, targets: Iterable[Target]) -> Expr:
    states = [_in_state(target, node.word) for target in meant(node, targets)]
    if not states:
        return node
    made = {"any": combine.any_of, "all": combine.all_of, "none": combine.none_of}[node.how](states)
    return replace(made, at=node.at)


def _in_state(target: str, word: str) -> Expr:
    bound = Matcher(label="target", op="=", value=target)
    return Compare(op="==", left=own("target.state", (bound,)), right=Word(text=word))
