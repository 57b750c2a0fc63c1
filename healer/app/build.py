"""From files to what an agent is made of: its configuration, its rules, the core's setup, the secrets in use."""

import contextlib
import dataclasses
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from healer import plugged
from healer.config import Config, load_config
from healer.config.files import rule_files
from healer.core.core import Setup
from healer.errors import ConfigError, HealerError
from healer.model.mode import Mode, Profile
from healer.rules import load as rules_loader
from healer.rules.rule import RuleSet, steps_of
from healer.rules.switched import switched
from healer.rules.vitals import check_vital
from healer.store import accepted
from healer.yamldoc.secret import Secret

_log = logging.getLogger("healer.app")

_MOST_TOLD = 8
Source = Config | Path | Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A set of rules and where it came from."""

    rules: RuleSet
    files: tuple[Path, ...] = ()
    """Empty for a set that was accepted earlier."""
    because: str = ""
    """Why it is not the set that is configured; empty when it is."""
    partly: bool = False
    """It is what is configured, without the files that need a plug-in that was left out."""


def settings(source: Source, environ: Mapping[str, str], *, mode: Mode | None, profile: Profile | None) -> Config:
    """The configuration, with what the command line says instead; raises ConfigError."""
    config = source if isinstance(source, Config) else load_config(source, environ=environ, check=check_vital)
    return replace(
        config,
        mode=config.mode if mode is None else mode,
        profile=config.profile if profile is None else profile,
    )


def rules(config: Config) -> Loaded:
    """The rules as configured; raises ConfigError."""
    files = rule_files(config.rules)
    loaded = rules_loader.load(files, base=config.rules.base)
    loaded = switched(loaded, config.rules.modes, place=config.rules.modes_place)
    if over := _above(config, loaded):
        raise ConfigError("the rules could do more than limits.max_rate allows", problems=over)
    return Loaded(rules=loaded, files=files)


def _above(config: Config, loaded: RuleSet) -> tuple[str, ...]:
    """Where the rules could do more than the operator's ceiling allows."""
    if not config.limits.max_rate:
        return ()
    from healer.rules import bounds, ceiling

    return tuple(map(str, ceiling.exceeded(loaded, bounds.worst_case(loaded, config), config.limits.max_rate)))


def first_rules(config: Config, state_dir: Path) -> Loaded:
    """The rules as configured; where they do not load the last accepted set, loudly. Raises ConfigError."""
    try:
        return rules(config)
    except ConfigError as exc:
        kept = _kept(state_dir, config)
        if (kept is None or _above(config, kept)) and (left := _without_plugins(config, exc)):
            return left
        if kept is None or _above(config, kept):
            raise
        because = f"the rules do not load, the last accepted set ({kept.hash[:12]}) is used: {told(exc)}"
        _log.error("rules.fallback", extra={"because": because, "problems": exc.problems})
        return Loaded(rules=kept, because=because)


def _without_plugins(config: Config, exc: ConfigError) -> Loaded | None:
    """The files of rules that load although plug-ins were left out: better some than a host that nobody looks at."""
    if not plugged.FAILED:
        return None
    sound = [path for path in rule_files(config.rules) if _loads(path)]
    because = f"plug-ins were left out, and with them the rules that need them: {told(exc)}"
    try:
        loaded = rules_loader.load(sound, base=config.rules.base)
    except ConfigError:
        return None
    if _above(config, loaded):
        return None
    known = {rule.id for rule in loaded.rules}
    modes = {name: mode for name, mode in config.rules.modes.items() if any(fnmatchcase(one, name) for one in known)}
    _log.error("rules.in-part", extra={"because": because, "problems": exc.problems})
    return Loaded(rules=switched(loaded, modes), because=because, partly=True)


def _loads(path: Path) -> bool:
    try:
        rules_loader.load([path])
    except ConfigError:
        return False
    return True


def told(exc: HealerError) -> str:
    """What went wrong, with its first mistakes where there are several."""
    problems = exc.problems if isinstance(exc, ConfigError) else ()
    return "; ".join(problems[:_MOST_TOLD]) or str(exc)


def _kept(state_dir: Path, config: Config) -> RuleSet | None:
    files = accepted.kept(state_dir)
    try:
        return switched(rules_loader.load(files), config.rules.modes) if files else None
    except ConfigError:
        return None


def check_accepted(loaded: Loaded, sealed_hash: str) -> None:
    """Raise ConfigError for a fallback that is not the set the log says was accepted: somebody changed the copies."""
    if loaded.because and not loaded.partly and sealed_hash != loaded.rules.hash:
        raise ConfigError(
            f"{loaded.because}; and that set is not the accepted one by the log ({sealed_hash[:12] or 'none'})",
            hint="mend the rules",
        )


def keep(loaded: Loaded, state_dir: Path) -> None:
    """Copy the files of an accepted set aside, to fall back to."""
    if not loaded.files:
        return
    try:
        accepted.keep(state_dir, loaded.files, loaded.rules.hash)
    except OSError as exc:
        _log.warning("rules.not-kept", extra={"because": str(exc)})


def not_before_a_start(old: Config, new: Config) -> list[str]:
    """What a reload read and cannot change while the agent runs, in words."""
    fixed = {
        "node": (old.node, new.node),
        "api": (old.api, new.api),
        "audit.anchor": (old.audit.anchor, new.audit.anchor),
        "audit.store": (old.audit.postgres, new.audit.postgres),
        "audit.rsa_later": (old.audit.rsa_later, new.audit.rsa_later),
        "audit.signer": (old.audit.signer, new.audit.signer),
        "audit.passphrase": (old.audit.passphrase, new.audit.passphrase),
        "audit.policy": (old.audit.policy, new.audit.policy),
        "audit.witness": (old.audit.witness, new.audit.witness),
        "audit.timestamps": (old.audit.timestamps, new.audit.timestamps),
        "store.sample_every": (old.store.sample_every, new.store.sample_every),
    }
    return [f"{key} takes effect at the next start" for key, (before, after) in fixed.items() if before != after]


def setup(config: Config, rules: RuleSet, *, boot: str, max_ages: Mapping[str, float]) -> Setup:
    """What the core is built from; ``max_ages`` are seconds by the sensor's name."""
    return Setup(
        node=config.node,
        boot=boot,
        targets=config.targets,
        rules=rules,
        vitals=config.vitals,
        organ_weights={name: organ.weight for name, organ in config.organs.items()},
        organ_modes={name: organ.mode for name, organ in config.organs.items()},
        organ_concurrent={name: organ.concurrent for name, organ in config.organs.items() if organ.concurrent},
        mode=config.mode,
        default_mode=config.rules.default_mode,
        profile=config.profile,
        brakes=config.limits,
        max_ages=max_ages,
    )


def secrets(config: Config, rules: RuleSet, environ: Mapping[str, str]) -> frozenset[str]:
    """The values of every secret that is referred to and can be read now: they are kept out of log and status."""
    found = set()
    for secret in _references((config, [step.params for rule in rules.rules for step in steps_of(rule)])):
        # One that cannot be read cannot leak either; whoever needs it says so.
        with contextlib.suppress(HealerError):
            found.add(secret.reveal(environ))
    return frozenset(found)


def _references(value: object) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _references(inner)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _references(getattr(value, field.name))
