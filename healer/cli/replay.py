"""``healer replay``: what rules would have done over what was recorded."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from healer.cli import moments, show
from healer.cli.settings import Command, Settings, settings
from healer.errors import HealerError

if TYPE_CHECKING:
    from healer.config import Config
    from healer.replay.play import Story
    from healer.replay.track import Recording
    from healer.rules.rule import RuleSet


@click.command(cls=Command)
@click.argument("rules", nargs=-1, type=click.Path(path_type=Path))
@click.option("--from", "start", metavar="MOMENT", default="30d", show_default=True, help="30d (ago), 2026-11-01.")
@click.option("--to", "end", metavar="MOMENT", default="now", show_default=True, help="The same.")
@click.option(
    "--source", type=click.Path(path_type=Path),
    help="A range query of Prometheus as JSON, or a CSV file, instead of the agent's own history.",
)  # fmt: skip
@click.option("--diff", "other", type=click.Path(path_type=Path), help="A file or folder of rules to compare with.")
@click.option("--as-written", is_flag=True, help="Keep the modes: rules that only observe do nothing.")
@click.option("--events", is_flag=True, help="Every incident, action and refusal with its moment.")
def replay(
    *, rules: tuple[Path, ...], start: str, end: str, source: Path | None, other: Path | None, as_written: bool,
    events: bool,
) -> int:  # fmt: skip
    """Show what the configured rules (or those in RULES) would have done, and what would have stopped them.

    Every rule is taken to be switched on. With --diff: what those in the other folder would do more, or less, than
    these. Nothing is done to anything.
    """
    given = settings()
    config, ruleset = _loaded(given, rules)
    with _recording(given, source, start, end) as recording:
        if recording.extent.end <= recording.extent.start:
            extent = recording.extent
            hint = "healer history METRIC shows what there is" if source is None else f"{source} has no series of ours"
            if extent.ignored:
                hint += f": {'; '.join(f'{name}: {because}' for name, because in list(extent.ignored.items())[:3])}"
            raise HealerError("nothing was recorded in that time", hint=hint)
        story = _play(given, config, ruleset, recording, as_written=as_written)
        if other is None:
            _tell(given, recording, ruleset, story, events=events)
            return 0
        changed = _rules_in(other)
        _tell_difference(given, recording, story, _play(given, config, changed, recording, as_written=as_written))
    return 0


# What is replayed, over what ----------------------------------------------------------------------------------


def _loaded(given: Settings, files: Sequence[Path]) -> "tuple[Config, RuleSet]":
    from healer.config import load_config
    from healer.config.files import rule_files
    from healer.rules.load import load

    config = load_config(Path(given.config) if given.config else None, environ=os.environ)
    if files:
        return config, load([path for one in files for path in _yaml(one)])
    return config, load(rule_files(config.rules), base=config.rules.base)


def _rules_in(path: Path) -> "RuleSet":
    from healer.rules.load import load

    return load(_yaml(path))


def _yaml(path: Path) -> list[Path]:
    """The file, or the files of rules in the folder."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.yaml"))
    if not found:
        raise HealerError(f"there are no rules in {path}", hint="*.yaml")
    return found


@contextlib.contextmanager
def _recording(given: Settings, source: Path | None, start: str, end: str) -> "Iterator[Recording]":
    from healer.clock import SystemClock
    from healer.replay.clip import Clip
    from healer.replay.prometheus import PrometheusFile
    from healer.replay.stored import Stored
    from healer.replay.table import Table
    from healer.store.archive import Archive

    now = SystemClock().wall()
    last = moments.wall(end, now)
    if source is None:
        with Archive(given.state) as archive:
            yield Stored(archive, moments.wall(start, now), last)
        return
    whole: Recording = Table(source) if source.suffix.lower() == ".csv" else PrometheusFile(source)
    # A file is replayed whole unless a part of it is asked for, and its clock may be another's.
    first = whole.extent.start if _left("start") else moments.wall(start, now)
    yield Clip(whole, first, whole.extent.end if _left("end") else last)


def _left(option: str) -> bool:
    """Whether an option was not given."""
    return click.get_current_context().get_parameter_source(option) is click.core.ParameterSource.DEFAULT


def _play(
    given: Settings, config: "Config", ruleset: "RuleSet", recording: "Recording", *, as_written: bool
) -> "Story":
    from healer.app import build
    from healer.replay import play as playing

    setup = build.setup(config, ruleset, boot="replay", max_ages={})
    if not as_written:
        setup = playing.as_if_auto(setup)
    with _progress(given, recording) as told:
        return playing.play(setup, recording, told=told)


@contextlib.contextmanager
def _progress(given: Settings, recording: "Recording") -> Iterator[Callable[[float], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if given.json or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    start, end = recording.extent.start, recording.extent.end
    with Progress(console=Console(stderr=True, no_color=not given.color), transient=True) as bar:
        task = bar.add_task("replaying", total=end - start)
        yield lambda at: bar.update(task, completed=at - start)


# What is said -------------------------------------------------------------------------------------------------


def _tell(given: Settings, recording: "Recording", ruleset: "RuleSet", story: "Story", *, events: bool) -> None:
    from healer.replay import tell

    found = tell.summary(story, ruleset.rules)
    if given.json:
        show.as_json(_extent(recording) | {"rules": found} | ({"events": tell.events(story)} if events else {}))
        return
    _say_extent(recording)
    rows = [
        (
            one["rule"],
            one["fired"],
            _counted(one["would"]),
            _counted(one["further"]),
            _counted(one["withheld"]),
            f"{one['proved']} of {one['proved'] + one['unproved']}" if one["would"] else "-",
        )
        for one in found
    ]
    header = ("RULE", "FIRES", "ACTS", "AND, HAD THAT NOT HELPED", "WITHHELD BY", "WELL AFTERWARDS")
    show.table(given, header, rows, empty="there are no rules")
    for one in found:
        for text in _caveats(one):
            show.line(f"{one['rule']}: {text}")
    if events:
        show.line()
        for event in tell.events(story):
            show.line(_event(event))
    show.note(
        "Nothing of this was done: the record goes on as it went without it. 'Well afterwards' counts what got well "
        "within the time of its proof; whether it would have sooner, or not at all, nobody knows."
    )


def _tell_difference(given: Settings, recording: "Recording", old: "Story", new: "Story") -> None:
    from healer.replay import tell

    found = tell.differences(old, new)
    if given.json:
        show.as_json(_extent(recording) | {"differences": found})
        return
    _say_extent(recording)
    for one in found:
        show.line(tell.said(one))
    if not found:
        show.line("no difference: the same actions on the same targets, as often")
    show.note("Counted are actions that rest on no other: those after a first cure that was never tried are left out.")


def _extent(recording: "Recording") -> dict[str, Any]:
    extent = recording.extent
    return {
        "from": extent.start,
        "to": extent.end,
        "series": len(extent.series),
        "ignored": dict(extent.ignored),
    }


def _say_extent(recording: "Recording") -> None:
    from healer.cli.incidents import when

    extent = recording.extent
    span = show.ago(extent.end - extent.start)
    show.line(f"{len(extent.series)} series, {span}: {when(extent.start)} to {when(extent.end)}")
    for name, because in list(extent.ignored.items())[:10]:
        show.line(f"left out: {name}: {because}")
    if (more := len(extent.ignored) - 10) > 0:
        show.line(f"left out: {more} more (--json names all)")


def _counted(found: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in found.items()) or "-"


def _caveats(one: dict[str, Any]) -> Iterator[str]:
    if one["apart"]:
        yield f"not replayed: {one['apart']}"
    elif one["never_recorded"]:
        names = ", ".join(one["never_recorded"][:4]) + (" ..." if len(one["never_recorded"]) > 4 else "")
        yield f"nobody knows: never recorded: {names}"


def _event(event: dict[str, Any]) -> str:
    from healer.cli.incidents import when

    what = "fires"
    if event["what"] == "would":
        what = f"would {event['action']}" + ("" if event["first"] else " (had the first not helped)")
        what += f": {event['verdict']}" if event["verdict"] else ""
    elif event["what"] == "withheld":
        what = f"{event['action']} withheld by {event['gate']}: {event['because']}"
    return f"{when(event['at'])} {event['rule']} on {event['target']}: {what}"
