"""Find organism.yaml, read it with its overlay, and make the configuration of it; or tell every mistake at once."""

import hashlib
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from healer import plugged, shipped
from healer.config import channels, fields, graph, overlay, plugins
from healer.config.channel import JOURNAL, Channel
from healer.config.fields import Check
from healer.config.targets import PROGRAM, TARGET
from healer.config.values import Api, Audit, Config, Harmony, Organ, Rules, Sensors, Store
from healer.model.anatomy import DEFAULT_VITALS
from healer.model.mode import Mode
from healer.model.organism import ORGANS, Vital
from healer.model.target import Target
from healer.yamldoc import document
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import Items, Node, Scalar, Table, from_python
from healer.yamldoc.shape import Bad, Record, Values, suggestion

SYSTEM = Path("/etc/healer/organism.yaml")


def find(environ: Mapping[str, str]) -> Path:
    """The configuration file nobody named: $HEALER_CONFIG, /etc/healer, the current folder, then the shipped one."""
    if named := environ.get("HEALER_CONFIG"):
        return Path(named)
    return next((path for path in (SYSTEM, Path("organism.yaml")) if path.exists()), shipped.path("organism.yaml"))


def load_config(
    source: Path | Mapping[str, Any] | None, *, environ: Mapping[str, str], check: Check | None = None
) -> Config:
    """Load the configuration from a file, a mapping, or where `find` finds it.

    ``check`` judges the expressions of vitals (`healer.rules.vitals.check_vital`). Raises ConfigError listing every
    mistake as ``file:line:col: what (hint)``; one from the environment is told by its variable, one from a mapping by
    its key.
    """
    problems = Problems()
    digest = hashlib.sha256()
    root, name, base = _root(find(environ) if source is None else source, digest, problems)
    plugins.take_up(_plugins(root))
    shape = fields.document(check)
    variables = overlay.chosen(environ, shape.fields)
    for variable, text in variables.items():
        digest.update(f"{variable}={text}\0".encode())
    root = overlay.apply(root, variables, problems) if root else None
    values = _read(root, shape, problems)
    if root is not None:
        _check_targets(root, problems)
    vitals = _vitals(values, problems) if values is not None else ()
    if values is not None:
        channels.check_queries(values, problems)
    if values is None or problems:
        _blame_plugins(root, problems)
        raise problems.error("configuration")
    return _config(values, vitals, source=name, base=base, digest=digest.hexdigest())


def take_up_plugins(source: Path | None, environ: Mapping[str, str]) -> None:
    """Know what the plug-ins of a configuration bring, whatever else is wrong with it: for who reads rules only."""
    quiet = Problems()
    root = _root(find(environ) if source is None else source, hashlib.sha256(), quiet)[0]
    shape = fields.document()
    root = overlay.apply(root, overlay.chosen(environ, shape.fields), quiet) if root else None
    plugins.take_up(_plugins(root))


def _plugins(root: Node | None) -> list[str]:
    """What stands under ``plugins``, before all else is read: it says which kinds, verbs and functions there are."""
    entry = root.get("plugins") if isinstance(root, Table) else None
    held = entry.node if entry else None
    words = [one.text for one in held.items if isinstance(one, Scalar)] if isinstance(held, Items) else []
    return [word for word in words if word == plugins.INSTALLED or word.startswith("/")]


def _blame_plugins(root: Node | None, problems: Problems) -> None:
    """Where something is unknown, a plug-in that failed may be why."""
    entry = root.get("plugins") if isinstance(root, Table) else None
    for where, because in plugged.FAILED.items():
        if entry is not None:
            problems.add(entry.mark, f"the plug-in {where} was left out: {because}", "mend it, or remove its line")


def _root(source: Path | Mapping[str, Any], digest: Any, problems: Problems) -> tuple[Node | None, str, Path]:  # noqa: ANN401 - hashlib names no type
    if isinstance(source, Mapping):
        root = from_python({"version": 1, **source}, "config")
        digest.update(repr(root).encode())
        return root, "", Path.cwd()
    found = document.read(source, problems)
    if found is None:
        return None, str(source), source.parent
    digest.update(found.sha256.encode())
    return found.root, str(source), source.absolute().parent


def _read(root: Node | None, shape: Record, problems: Problems) -> Values | None:
    if root is None:
        return None
    try:
        values: Values = shape.read(root, problems)
    except Bad:
        return None
    return values


def _check_targets(root: Node, problems: Problems) -> None:
    """Names and requirements, looked at even where something else is wrong: every mistake at once."""
    placed: list[graph.Placed] = []
    broken: list[str] = []
    quiet = Problems()
    for section, shape in (("programs", PROGRAM), ("targets", TARGET)):
        entry = root.get(section) if isinstance(root, Table) else None
        for node in entry.node.items if entry and isinstance(entry.node, Items) else ():
            try:
                target: Target = shape.read(node, quiet)
                placed.append(graph.Placed(target=target, mark=_name_mark(node), needs=_need_marks(node)))
            except Bad:
                broken.append(_name(node, "kind", "program") + ":" + _name(node, "name", ""))
    graph.check(placed, broken, problems)
    if not broken:
        _check_budgets(root, {group for one in placed for group in one.target.groups}, problems)


def _name(node: Node, key: str, default: str) -> str:
    entry = node.get(key) if isinstance(node, Table) else None
    return entry.node.text if entry and isinstance(entry.node, Scalar) else default


def _check_budgets(root: Node, groups: set[str], problems: Problems) -> None:
    """A budget of a group that nobody is in protects nothing: it is a misspelt name."""
    node: Node | None = root
    for key in ("limits", "groups"):
        entry = node.get(key) if isinstance(node, Table) else None
        node = entry.node if entry else None
    for entry in node.entries if isinstance(node, Table) else ():
        if entry.key not in groups:
            problems.add(entry.mark, f"no target is in the group '{entry.key}'", suggestion(entry.key, sorted(groups)))


def _need_marks(node: Node) -> Mapping[str, Mark]:
    entry = node.get("requires") if isinstance(node, Table) else None
    held = entry.node if entry else None
    items = held.items if isinstance(held, Items) else (held,)
    return {item.text: item.mark for item in items if isinstance(item, Scalar)}


def _name_mark(node: Node) -> Mark:
    entry = node.get("name") if isinstance(node, Table) else None
    return entry.node.mark if entry else node.mark


def _vitals(values: Values, problems: Problems) -> tuple[Vital, ...]:
    """The default vitals, changed and added to, in the order of the organs."""
    vitals = {vital.id: vital for vital in DEFAULT_VITALS}
    for organ, said in values["organs"].items():
        for name, given in said["vitals"].items():
            made = _vital(organ, name, given, vitals.pop(f"{organ}.{name}", None), problems)
            if made and made.weight > 0:
                vitals[made.id] = made
    return tuple(sorted(vitals.values(), key=lambda vital: ORGANS.index(vital.organ)))


def _vital(organ: str, name: str, given: Values, default: Vital | None, problems: Problems) -> Vital | None:
    held: dict[str, Any] = {key: getattr(default, key, None) if said is None else said for key, said in given.items()}
    held["weight"] = 1.0 if held["weight"] is None else held["weight"]
    missing = [key for key in ("value", "healthy", "critical") if held[key] is None]
    if missing and held["weight"] > 0:
        problems.add(given.mark, f"the vital {organ}.{name} has no {', '.join(missing)}", "it is not a default one")
        return None
    if not missing and held["healthy"] == held["critical"]:
        problems.add(given.where("critical"), f"healthy and critical of {organ}.{name} are the same", "set them apart")
        return None
    return None if missing else Vital(organ=organ, name=name, **held)


def _config(values: Values, vitals: tuple[Vital, ...], *, source: str, base: Path, digest: str) -> Config:
    organs = values["organs"]
    every = values["reflect"]["every"] if values["reflect"] else 60.0
    return Config(
        node=values["node"] or socket.gethostname(),
        mode=values["mode"] if values["mode"] is not None else Mode.AUTO,
        profile=values["profile"],
        rules=_rules(values["rules"], base),
        plugins=values["plugins"],
        organs={organ: _organ(organs.get(organ)) for organ in ORGANS},
        vitals=vitals,
        sensors=_sensors(values["sensors"]),
        targets=(*values["programs"], *values["targets"]),
        limits=values["limits"],
        reflect_every=every,
        harmony=Harmony(**(values["harmony"] or {})),
        audit=_audit(values["audit"]),
        store=Store(**(values["store"] or {})),
        api=Api(**(values["api"] or {})),
        notify={"journal": JOURNAL} | {name: Channel(name=name, **held) for name, held in values["notify"].items()},
        source=source,
        hash=digest,
    )


def _rules(given: Values | None, base: Path) -> Rules:
    if given is None:
        return Rules(base=base)
    mode = Mode.OBSERVE if given["default_mode"] is None else given["default_mode"]
    return Rules(
        files=given["files"],
        base=base,
        default_mode=mode,
        modes=given["modes"],
        place=str(given.where("files")),
        modes_place=str(given.where("modes")),
    )


def _audit(given: Values | None) -> Audit:
    if given is None:
        return Audit()
    held = dict(given)
    store = held.pop("store") or {}
    return Audit(**held, postgres=store.get("postgres") or "")


def _organ(given: Values | None) -> Organ:
    if given is None:
        return Organ()
    mode = Mode.AUTO if given["mode"] is None else given["mode"]
    return Organ(weight=given["weight"], mode=mode, concurrent=given["concurrent"])


def _sensors(given: Values | None) -> Sensors:
    if given is None:
        return Sensors()
    return Sensors(
        host_every=given["host"]["every"],
        host_slow_every=given["host"]["slow_every"],
        self_every=given["self"]["every"],
        docker=given["docker"],
    )
