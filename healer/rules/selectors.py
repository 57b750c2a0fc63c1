"""Selections of targets as YAML: those a rule is bound to when it loads, and those a step chooses when it begins."""

from healer.model.kinds.catalog import KINDS
from healer.model.organism import ORGANS
from healer.model.target import State
from healer.rules.rule import Selection, Selector
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Count, Flag, Text, Word
from healer.yamldoc.shape import Bad, Field, ListOf, MapOf, Record, Values

GLOB = Text(longest=256, called="a name or a pattern with * and ?")
_NAME = Text(longest=128, called="a name")


def _selector(values: Values, problems: Problems) -> Selector:
    labels = tuple(sorted((values["label"] or {}).items()))
    # A state narrows a selection down and makes none: all that run are all there are, on a good day.
    criteria = (values["kind"], values["organ"], values["group"], labels, values["name"].strip("*"))
    everything = values.get("all", False)
    if everything and any(criteria):
        problems.add(values.where("all"), "all, and criteria beside it", "remove one of them; except: may stay")
        raise Bad
    if not any(criteria) and not everything:
        # Law 9 is about selections that match nothing; one that says nothing would match everything.
        hint = "give a kind, organ, group, label or name"
        if "all" in values:
            hint += "; or write all: true with max_targets"
        problems.add(values.mark, "this selects every target there is", hint)
        raise Bad
    return Selector(
        kind=values["kind"],
        name=values["name"],
        organ=values["organ"],
        group=values["group"],
        label=labels,
        state=values["state"],
        all_=everything,
        except_=values["except"],
    )


def _selection(values: Values, problems: Problems) -> Selection:
    selector = _selector(values, problems)
    if selector.all_ and not values["max_targets"]:
        problems.add(values.where("all"), "all, without a bound", "add max_targets: how many there may be at most")
        raise Bad
    return Selection(selector=selector, max_targets=values["max_targets"], order=values["order"])


def _criteria(state: str) -> tuple[Field, ...]:
    return (
        Field(name="kind", shape=Word(KINDS), default="", doc="kind of target"),
        Field(name="name", shape=GLOB, default="", doc="its name; * and ? match"),
        Field(name="organ", shape=Word(ORGANS), default="", doc="the organ it belongs to"),
        Field(
            name="group", shape=ListOf(_NAME, least=1, alone=True), default=(), doc="a member of any of these groups"
        ),
        Field(name="label", shape=MapOf(Text()), doc="labels it carries, with these values"),
        Field(name="state", shape=Word(state.value for state in State), default="", doc=state),
        Field(name="except", shape=ListOf(GLOB, least=1, alone=True), default=(), doc="names or ids left out"),
    )


SELECTOR = Record(*_criteria("the state it must be in at the moment the rule fires"), build=_selector)
SELECTION = Record(
    *_criteria("the state it must be in at the moment the step begins"),
    Field(name="all", shape=Flag(), default=False, shown="false", doc="every target there is; needs max_targets"),
    Field(
        name="max_targets",
        shape=Count(1, 10_000),
        default=0,
        doc="where more are selected, nothing is done at all",
    ),
    Field(
        name="order",
        shape=Word(("auto", "forward", "backward", "declared")),
        default="auto",
        shown="auto",
        doc="along requires: what others need comes first (forward), or last; auto is backward for a stop",
    ),
    build=_selection,
)
