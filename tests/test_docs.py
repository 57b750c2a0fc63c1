"""What the prose says of lists that the code holds is so: topics, gates, states, steps, outcomes, rooms, commands."""

import ast
import asyncio
import re
import tomllib
from pathlib import Path

import pytest

from healer.app import Agent
from healer.cli.main import COMMANDS, USAGE
from healer.core.core import Setup
from healer.gates.order import AFTER_THE_SEAL, ORDER
from healer.model.decision import Result
from healer.model.effect import Note
from healer.model.mode import Mode, Profile
from healer.model.target import MOVES, Target
from healer.model.verbs import VERBS
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.rule import Position, Rule, RuleSet, Step
from healer.testing import Scenario

CHECKOUT = Path(__file__).resolve().parents[1]
DOCS = CHECKOUT / "docs"
PROSE = sorted([*DOCS.glob("*.md"), *CHECKOUT.glob("*.md")])
NAMES = [str(path.relative_to(CHECKOUT)) for path in PROSE]
NOT_SAID_ON_THE_BUS = {
    "profile.economy",  # words between the economy and its caller, who says profile.changed
    "profile.restored",
    "state.db",
    "target.bad",  # metrics, as target.flaps
    "target.flaps",
}
UNUSED_RESULTS = {Result.CANCELLED.value, Result.SKIPPED.value}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next one of any depth."""
    return re.split(r"^#+ ", text.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row whose first cell is code or a plain word."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip().strip("`") for cell in line.strip().strip("|").split("|")] for line in lines]


def said_in_code() -> set[str]:
    """Every literal that looks like a topic of the agent's own, but the names of its log messages."""
    first = {topic.partition(".")[0] for topic in documented_topics()}
    shape = re.compile(rf"(?:{'|'.join(first)})\.[a-z-]+")
    found: set[str] = set()
    for room in ("core", "runtime", "app"):
        for path in (CHECKOUT / "healer" / room).glob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            logged = {
                id(argument)
                for call in ast.walk(tree)
                if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("_log.")
                for argument in call.args
            }
            found |= {
                node.value
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in logged
                if shape.fullmatch(node.value)
            }
    return found - NOT_SAID_ON_THE_BUS


def documented_topics() -> dict[str, str]:
    """Topic to the kind of its entry, as docs/events.md has them."""
    head = page("events.md").partition("## Your own")[0]
    return {row[0]: row[1] for row in rows(head) if "." in row[0]}


def test_every_topic_is_listed_and_every_listed_topic_is_said():
    assert set(documented_topics()) == said_in_code()


def test_topics_carry_the_entries_that_the_list_names():
    when = "program.up{target} == 0"
    rule = Rule(
        id="r",
        position=Position(file="t.yaml", line=1, column=1),
        target="program:api",
        when=expression.parse(when, vocabulary=METRICS),
        when_source=when,
        then=(Step(action="restart"),),
        mode=Mode.AUTO,
    )
    api = Target(kind="program", name="api", organ="heart", startup_grace=0.0)
    setup = Setup(node="n", boot="b", targets=(api,), rules=RuleSet(rules=(rule,), hash="h", files=()))
    scenario, heard = Scenario(setup), {}
    plain = scenario.take

    def listen(effects):
        effects = list(effects)
        heard.update({one.topic: one.kind for one in effects if isinstance(one, Note) and one.topic})
        plain(effects)

    scenario.take = listen
    for value in (1, 0, 1):
        scenario.see("program.up", value, target="program:api")
        scenario.wait(1)
    scenario.jump(-60)
    scenario.wait(40)
    scenario.ask("pause", "program:api")
    scenario.ask("act", "program:api", action="restart")
    scenario.ask("maintenance-add", "program:api", **{"for": 5})
    scenario.ask("stop-healing")
    scenario.wait(10)
    listed = documented_topics()
    assert {"incident.firing", "action.outcome", "action.verdict", "action.withheld", "clock.jumped"} <= set(heard)
    assert {"maintenance.ended", "mode.changed", "request.answered", "agent.kill-switch"} <= set(heard)
    assert heard == {topic: listed[topic] for topic in heard}


def test_the_gates_are_listed_in_their_order():
    assert [row[0] for row in rows(page("gates.md")) if row[0] not in {"gate", "---"}] == [name for name, _ in ORDER]
    again = re.findall(r"`(\w+)`", page("gates.md").partition("are asked again:")[2].partition(". The counting")[0])
    assert set(again) == AFTER_THE_SEAL


def test_the_state_machine_is_drawn_as_it_is():
    drawn = {row[0]: row[1] for row in rows(section(page("lifecycle.md"), "A target")) if len(row) == 2}
    drawn.pop("from")
    drawn.pop("---", None)
    assert drawn == {old.value: ", ".join(sorted(new.value for new in legal)) for old, legal in MOVES.items()}


def test_outcomes_and_verdicts_have_their_words():
    words = {row[0] for row in rows(section(page("lifecycle.md"), "An action"))} - {"word", "---"}
    assert words == {result.value for result in Result} - UNUSED_RESULTS


def test_start_and_stop_take_the_steps_that_are_told(tmp_path):
    text = section(page("lifecycle.md"), "The agent")
    starting = [row[0] for row in rows(text) if row[0] not in {"step", "---"}]
    stopping = re.findall(r"`((?:stop|drain|last) \w+)`", text.partition("goes the other way:")[2])
    agent = Agent({"version": 1, "rules": {"files": []}}, state_dir=tmp_path / "state", environ={})
    asyncio.run(agent.serve(ready=agent.ask_stop, signals=False))
    assert agent.steps == [*starting, *stopping]


def test_exit_codes_are_told_as_they_are():
    assert USAGE == 2
    assert re.search(r"\*\*0\*\* yes.*\*\*1\*\* no.*\*\*2\*\* invalid", page("lifecycle.md"), flags=re.DOTALL)


def test_modes_and_profiles_are_told_in_the_configuration():
    text = (CHECKOUT / "organism.yaml").read_text(encoding="utf-8")
    assert " < ".join(mode.word for mode in Mode) in text
    told = text.partition("What the agent runs of itself:")[2].partition("# profile:")[0]
    assert all(profile.value in told for profile in Profile)


def test_every_verb_has_its_paragraph():
    assert set(re.findall(r"^\*\*`(\w+)`\*\*", page("rules.md"), flags=re.MULTILINE)) == set(VERBS)


def test_the_rooms_are_those_of_the_floors():
    contract = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = contract["contracts"][0]["layers"]
    rooms = {room for layer in layers for room in re.findall(r"\((\w+)\)", layer)} - {"__main__"}
    there = {room for room in rooms if list((CHECKOUT / "healer").glob(f"{room}*"))}
    told = re.findall(r"`healer/(\w+)(?:\.py)?`", page("architecture.md").partition("## Floors")[2])
    assert set(told) == there
    assert len(told) == len(set(told))


@pytest.mark.parametrize("name", NAMES)
def test_commands_that_prose_names_exist(name):
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^\s*\$ )healer ([a-z][a-z-]*)", text, flags=re.MULTILINE))
    assert named <= set(COMMANDS), f"{name} names {sorted(named - set(COMMANDS))}"


@pytest.mark.parametrize("name", NAMES)
def test_files_that_prose_names_exist(name):
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:healer|audit|docs|tests|rules|systemd|bench)/[\w/.-]*\w)/?`", text))
    assert not [path for path in sorted(named) if not (CHECKOUT / path).exists()]


@pytest.mark.parametrize("name", NAMES)
def test_goals_of_make_that_prose_names_exist(name):
    goals = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^    |^\$ )(?:sudo )?make ([a-z]+)", text, flags=re.MULTILINE))
    assert named <= goals
