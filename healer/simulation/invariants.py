"""The laws of acting, a function each that looks for where it was broken; in one file, so that none is overlooked.

S numbers laws of safety, L those of liveness.
"""

from collections import defaultdict
from collections.abc import Callable

from healer.simulation.boundlaws import BOUND_LAWS
from healer.simulation.oracle import Deed, Entry, Evidence
from healer.simulation.rulebooks import APPROVED, FACTS, JITTER, RESET_AFTER, WITNESSED
from healer.simulation.startlaws import START_LAWS
from healer.simulation.undolaws import UNDO_LAWS
from healer.simulation.waylaws import WAYS_LAWS
from healer.simulation.world import Effect, Sample

SLACK = 0.002
"""Seconds: the log has microseconds, and a sum of floats is not the float of a sum."""
WITHIN = 160.0
"""Seconds of calm after which everything healable must be healthy."""
QUIET = 50.0
"""Seconds at the end of the calm in which nothing more is done."""

Law = Callable[[Evidence], None]
LAWS: list[Law] = [*WAYS_LAWS, *START_LAWS, *BOUND_LAWS, *UNDO_LAWS]


def law(check: Law) -> Law:
    """Put a law on the list."""
    LAWS.append(check)
    return check


# Before the effect --------------------------------------------------------------------------------------------


@law
def sealed_before(evidence: Evidence) -> None:
    """S01: every effect has an intent that was durable before it began, and is what that intent says."""
    for effect in evidence.house.world.ledger:
        deed = evidence.deeds.get(effect.intent)
        if deed is None:
            evidence.blame("sealed before", f"{effect.verb} of {effect.target} has no intent in the log")
        elif deed.intent.height > effect.height:
            evidence.blame(
                "sealed before", f"{deed.intent['id']} was in block {deed.intent.height}, durable was {effect.height}"
            )
        elif (deed.intent["action"], deed.intent["target"]) != (effect.verb, effect.target):
            evidence.blame("sealed before", f"{deed.intent['id']} meant something else than {effect.verb}")


@law
def witnessed_before(evidence: Evidence) -> None:
    """S02: what a rule wants others to see first, they have seen when it begins."""
    for deed, effect in evidence.acts():
        if deed.intent["rule"] in WITNESSED and effect.cosigned < deed.intent.height:
            because = f"{deed.intent['id']} was in block {deed.intent.height}, cosigned was {effect.cosigned}"
            evidence.blame("witnessed before", because)


@law
def at_most_once(evidence: Evidence) -> None:
    """S03: one effect per intent, and no id is ever used twice."""
    for deed in evidence.deeds.values():
        if len(deed.effects) > 1:
            evidence.blame("at most once", f"{deed.intent['id']} had {len(deed.effects)} effects")
    ids = [deed.intent["id"] for deed in evidence.deeds.values()]
    if len(ids) != len(set(ids)):
        evidence.blame("at most once", f"ids were used again: {sorted({one for one in ids if ids.count(one) > 1})}")


@law
def fenced(evidence: Evidence) -> None:
    """S15: the incarnation met is the one judged, and the deadline has not passed."""
    clock = evidence.house.clock
    for deed, effect in evidence.acts():
        if not effect.target.startswith("http:") and effect.judged != effect.met:
            evidence.blame("fenced", f"{deed.intent['id']} judged {effect.judged!r} and met {effect.met!r}")
        if effect.began > clock.absolute(deed.intent["boot"], deed.intent["deadline_us"]) + SLACK:
            evidence.blame("fenced", f"{deed.intent['id']} began after its deadline")


@law
def on_fresh_evidence(evidence: Evidence) -> None:
    """S08: what a rule acts on is known, bad, fresh, not the first sample, and seen after the last action."""
    last_end: dict[str, float] = {}
    for deed, effect in evidence.acts():
        fact = FACTS.get(effect.rule)
        if fact is not None and not fact.elsewhere and not deed.undoes:
            because = _unfit(effect, fact.metric, fact.bad, last_end.get(effect.target), evidence)
            if because:
                evidence.blame("fresh evidence", f"{deed.intent['id']} ({effect.rule} on {effect.target}): {because}")
        if deed.ended is not None:
            last_end[effect.target] = deed.ended


def _unfit(effect: Effect, metric: str, bad: Callable[[float], bool], after: float | None, evidence: Evidence) -> str:
    sample = effect.samples.get(metric)
    if sample is None:
        return "it was never seen"
    # What arrived in the very instant of the effect may have arrived after the last look back.
    candidates: list[Sample] = [sample]
    while sample.told >= effect.began and (sample := sample.before) is not None:
        candidates.append(sample)
    reasons = [_unfit_sample(one, effect, bad, after, evidence) for one in candidates]
    return "" if "" in reasons else reasons[0]


def _unfit_sample(
    sample: Sample, effect: Effect, bad: Callable[[float], bool], after: float | None, evidence: Evidence
) -> str:
    if not isinstance(sample.value, float):
        return "it was unknown"
    if not bad(sample.value):
        return f"it was {sample.value:g}"
    if sample.seen < 2 and not sample.conclusive:
        return "it was the first sample"
    keeps = 3 * evidence.house.every + 1.0
    longest = max(keeps, 60.0 if effect.target.startswith("container") else 10.0)
    if effect.began - sample.at > longest + SLACK:
        return f"it was {effect.began - sample.at:.1f} s old"
    if after is not None and sample.at < after - SLACK:
        return "it was seen before the last action ended"
    return ""


@law
def obeys_the_switch(evidence: Evidence) -> None:
    """S13: nothing, not even a message, while the kill switch stands."""
    for effect in evidence.house.world.ledger:
        if effect.forbidden:
            evidence.blame("kill switch", f"{effect.verb} of {effect.target} began while it stood")


@law
def keeps_out_of_maintenance(evidence: Evidence) -> None:
    """S13: nothing is done to a target inside a window that was durable before."""
    for deed, effect in evidence.acts():
        open_windows: dict[str, Entry] = {}
        for entry in evidence.entries:
            if entry.height > effect.height:
                break
            if entry.kind == "maintenance":
                if entry["op"] == "add":
                    open_windows[entry["id"]] = entry
                else:
                    open_windows.pop(entry["id"], None)
        for key, window in open_windows.items():
            if _stands(window, effect.wall) and _covers(window["selector"], effect.target):
                evidence.blame("maintenance", f"{deed.intent['id']} on {effect.target} inside {key}")


def _stands(window: Entry, wall: float) -> bool:
    """Whether a window is open at that second, by its own words: hours are of the day in UTC, in the simulation."""
    if wall + SLACK >= window["until_us"] / 1e6 or wall - SLACK < (window["from_us"] or 0) / 1e6:
        return False
    spans = (window["recurrence"] or {}).get("hours", ())
    minutes = [edge / 60 % 1440 for edge in (wall - SLACK, wall + SLACK)]
    within = [
        # In the very moment in which a window ends, it may be over or not.
        all((first <= at < last) if first < last else (at >= first or at < last) for at in minutes)
        for first, last in spans
    ]
    return not spans or any(within)


def _covers(selector: dict[str, object], target: str) -> bool:
    return bool(
        selector.get("all") == "True"
        or selector.get("all") is True
        or selector.get("kind") == target.partition(":")[0]
        or selector.get("target") == target
    )


@law
def a_person_said_yes(evidence: Evidence) -> None:
    """What waits for a yes is done once for each, after it, in the same life, and in time."""
    used: set[str] = set()
    for entry in evidence.entries:
        if entry.kind != "intent" or (entry["rule"] not in APPROVED and entry["mode"] != "approve") or entry["hook"]:
            continue
        name, key = entry["id"], entry["approval"]
        if because := _no_yes(entry, key, evidence):
            evidence.blame("approval", f"{name} ({entry['rule']} on {entry['target']}): {because}")
        elif key in used:
            evidence.blame("approval", f"{name} rests on {key}, which was used before")
        used.add(key)


def _no_yes(intent: Entry, key: str, evidence: Evidence) -> str:
    """Why an approval does not cover an intent."""
    asked = granted = None
    for entry in evidence.entries[: intent.number]:
        if entry.kind == "lifecycle" and entry["phase"] == "start":
            granted = None  # a yes of a former life is none
        if entry.kind != "approval" or entry["id"] != key:
            continue
        if entry["decision"] == "asked":
            asked = entry
        else:
            granted = entry if entry["decision"] == "granted" and granted is None else None
    if asked is None or granted is None:
        return f"nobody said yes to {key or 'it'}"
    if any(asked[name] != intent[name] for name in ("corr", "target", "action", "step")):
        return f"{key} was about something else"
    if not str(granted["who"]).startswith("uid:"):
        return f"{key} was granted by {granted['who']}"
    if granted.at - asked.at > APPROVED[intent["rule"]] + SLACK:
        return f"{key} was granted {granted.at - asked.at:.1f} s after it was asked"
    evidence.house.chance.reach("approved")
    return ""


@law
def cures_do_not_take_turns(evidence: Evidence) -> None:
    """After A, B, A, B on one target neither is done again until a person, or long health, lets them go on."""
    done: dict[str, list[tuple[str, str]]] = defaultdict(list)
    held: dict[str, set[str]] = defaultdict(set)
    for entry in evidence.entries:
        if entry.kind == "state" and str(entry["subject"]).startswith("oscillation:") and entry["to"] == "calm":
            target = str(entry["subject"]).partition(":")[2]
            done[target].clear()
            held[target].clear()
        if entry.kind != "intent" or not entry["rule"] or entry["action"] == "notify" or entry["hook"]:
            continue
        if evidence.deeds[entry.leaf].without_effect or entry["undoes"]:
            continue
        target, one = entry["target"], (str(entry["rule"]), str(entry["action"]))
        if one[0] in held[target]:
            evidence.blame("turns", f"{entry['id']} by {one[0]} on {target}, which was held")
        done[target].append(one)
        first, second, third, fourth = ([("", "")] * 4 + done[target])[-4:]
        opposite = {first[1], second[1]} in ({"stop", "start"}, {"stop", "restart"})
        if first == third and second == fourth and first != second and (first[0] != second[0] or opposite):
            held[target] |= {first[0], second[0]}
            evidence.house.chance.reach("turns held")


@law
def errors_of_a_kind_are_skipped(evidence: Evidence) -> None:
    """After so many errors in a row of a verb on a kind, none is tried until the pause is over."""
    brakes = evidence.house.brakes
    errors: dict[tuple[str, str], tuple[int, float]] = {}
    for entry in evidence.entries:
        if entry.kind == "outcome" and (deed := evidence.deeds.get(entry["of"])) and not deed.quiet:
            key = (deed.intent["action"], str(deed.intent["target"]).partition(":")[0])
            if entry["result"] == "done":
                errors.pop(key, None)
            elif entry["result"] in {"failed-transient", "failed-permanent", "ambiguous"}:
                errors[key] = (errors.get(key, (0, 0.0))[0] + 1, entry.at)
        elif entry.kind == "intent" and (key := (entry["action"], str(entry["target"]).partition(":")[0])) in errors:
            count, last = errors[key]
            soon = entry.at - last < brakes.errors_retried_after - SLACK
            if count >= brakes.errors_until_skipped and soon and not entry["undoes"]:
                evidence.blame("errors", f"{entry['id']}: {' of a '.join(key)} had failed {count} times in a row")


@law
def stands_still_in_safe_mode(evidence: Evidence) -> None:
    """S13: nothing is done once safe mode is durable, until somebody ends it."""
    for deed, effect in evidence.acts():
        safe = ""
        for entry in evidence.entries:
            if entry.height > effect.height:
                break
            if entry.kind == "state" and entry["subject"] == "safe_mode":
                safe = entry["because"] if entry["to"] == "on" else ""
        if safe:
            evidence.blame("safe mode", f"{deed.intent['id']} on {effect.target} although {safe}")


@law
def holds_in_mass_failure(evidence: Evidence) -> None:
    """S12: from the moment at which half of a group was seen bad, nothing is done until a person says so."""
    ends = sorted(
        one.at
        for one in evidence.entries
        if one.kind == "state" and one["subject"] == "safe_mode" and one["to"] == "off"
    )
    for deed, effect in evidence.acts():
        # What a former life saw binds this one by the log alone: see stands_still_in_safe_mode.
        taps = evidence.house.tap.alarms
        alarms = [(at, group) for life, at, group in taps if life == effect.run and at < effect.began]
        if alarms and not any(alarms[-1][0] <= end <= effect.began + SLACK for end in ends):
            evidence.blame("mass failure", f"{deed.intent['id']} on {effect.target}, {alarms[-1][1]} had failed")


@law
def rules_that_may_not_act_do_not(evidence: Evidence) -> None:
    """S21 and the modes: a rule in observe acts on nothing, and an empty selection is nothing."""
    for deed, effect in evidence.acts():
        if effect.rule and not FACTS[effect.rule].acts:
            evidence.blame("modes and selections", f"{deed.intent['id']} by {effect.rule} on {effect.target}")


@law
def pauses_are_kept(evidence: Evidence) -> None:
    """Paused (agent or target): nothing is done to it, by rules or by anybody, until it is resumed."""
    for deed, effect in evidence.acts():
        lowered = {}
        for entry in evidence.entries:
            if entry.height > effect.height:
                break
            if entry.kind == "mode":
                lowered[entry["scope"]] = entry["mode"]
        for scope in ("agent", effect.target):
            if lowered.get(scope, "configured") == "observe":
                evidence.blame("modes and selections", f"{deed.intent['id']} on {effect.target}, {scope} is paused")


# How much, how often ------------------------------------------------------------------------------------------


@law
def one_actor_per_target(evidence: Evidence) -> None:
    """S10: from intent to verdict a target belongs to one deed."""
    held: dict[str, Deed] = {}
    for deed in evidence.deeds.values():
        if deed.quiet:
            continue
        target = deed.intent["target"]
        before = held.get(target)
        if before is not None and before.freed > deed.intent.at + SLACK and not _closed_before(before, deed):
            evidence.blame("one actor", f"{deed.intent['id']} began on {target} before {before.intent['id']} was over")
        held[target] = deed


def _closed_before(one: Deed, other: Deed) -> bool:
    closing = [*one.verdicts, *(one.outcomes if one.without_effect else ())]
    return any(entry.number < other.intent.number for entry in closing)


@law
def concurrent_within_the_cap(evidence: Evidence) -> None:
    """S10: effects at work at one time, within one life of the agent."""
    most = evidence.house.brakes.concurrent
    effects = [effect for deed, effect in evidence.acts() if not deed.undoes]
    for effect in effects:
        at_work = [
            one
            for one in effects
            if one.run == effect.run and one.began <= effect.began and (one.ended is None or one.ended > effect.began)
        ]
        if len(at_work) > most:
            evidence.blame("concurrency", f"{len(at_work)} effects at second {effect.began:.3f}, at most {most}")
            return


@law
def limits_hold(evidence: Evidence) -> None:
    """S11: no sliding window ever holds more effects than the rule, and the host, allow; crashes included."""
    acts = [(deed, effect) for deed, effect in evidence.acts() if not (deed.without_effect or deed.undoes)]
    for deed, effect in acts:
        fact = FACTS.get(effect.rule)
        limits = [*(fact.limits if fact else ()), (evidence.house.brakes.actions_per_hour, 3600.0, "host")]
        for most, per, scope in limits:
            since = deed.intent.at - per
            # Room is made for a stop whose length only the wall clock knows.
            inside = [
                other
                for other, done in acts
                if since + SLACK < other.intent.at <= deed.intent.at and _in_scope(scope, done, effect)
            ]
            if len(inside) > most:
                evidence.blame(
                    "limits",
                    f"{deed.intent['id']} ({effect.rule} on {effect.target}) is number {len(inside)} of at most "
                    f"{most} in {per:g} s ({scope})",
                )


def _in_scope(scope: str, one: Effect, other: Effect) -> bool:
    return {
        "action+target": (one.verb, one.target) == (other.verb, other.target),
        "target": one.target == other.target,
        "rule": one.rule == other.rule,
        "host": True,
    }[scope]


@law
def cooldowns_and_backoffs_hold(evidence: Evidence) -> None:
    """Between the END of one treatment and the next lies the cooldown; between tries, a pause that grows."""
    opened: dict[str, float] = {}
    streak: dict[str, int] = defaultdict(int)
    end: dict[str, float] = {}
    for entry in evidence.entries:
        if entry.kind == "state":
            kind, _, name = str(entry["subject"]).partition(":")
            if kind == "incident" and entry["from"] == "pending":
                opened[name] = entry.at
            elif kind == "streak":
                streak.pop(name, None)
        elif entry.kind == "intent" and entry["rule"] and entry["action"] != "notify":
            deed = evidence.deeds[entry.leaf]
            if deed.without_effect or deed.undoes:
                continue
            key = f"{entry['rule']}@{entry['target']}"
            _keeps_its_distance(evidence, entry, key, opened.get(entry["corr"], 0.0), streak[key], end.get(key))
            if deed.ended is not None:
                streak[key] += 1
                end[key] = deed.ended


def _keeps_its_distance(
    evidence: Evidence, entry: Entry, key: str, opened: float, actions: int, end: float | None
) -> None:
    fact = FACTS[entry["rule"]]
    if end is None:
        return
    gap = entry.at - end
    if end < opened and gap < fact.cooldown - SLACK:
        evidence.blame("cooldown", f"{entry['id']} of {key} came {gap:.3f} s after an end, not {fact.cooldown:g}")
    initial, factor, longest = fact.backoff
    pause = min(longest, initial * factor ** max(0, actions - 1)) * (1 - JITTER)
    if opened - end < RESET_AFTER and gap < pause - SLACK:
        evidence.blame("backoff", f"{entry['id']} of {key} came {gap:.3f} s after action {actions}, not {pause:g}")


@law
def breakers_hold(evidence: Evidence) -> None:
    """S11: so many failures in a row, and the same is not tried again until somebody, or time, says so."""
    most = evidence.house.brakes.breaker_opens_after
    failures: dict[str, int] = defaultdict(int)
    is_open: dict[str, bool] = defaultdict(bool)
    for entry in evidence.entries:
        if entry.kind == "state" and str(entry["subject"]).startswith("breaker:"):
            key = str(entry["subject"]).removeprefix("breaker:")
            is_open[key] = entry["to"] == "open"
            if is_open[key]:
                evidence.house.chance.reach("breaker opened")
            else:
                failures[key] = 0
        elif entry.kind == "verdict" and (deed := evidence.deeds.get(entry["of"])):
            key = f"{deed.intent['action']}@{deed.intent['target']}"
            if entry["result"] == "verified":
                failures[key] = 0 if not (is_open[key] or deed.undoes) else failures[key]
            elif entry["result"] not in {"stale", "cancelled", "refused", "skipped"} and not _unprovable(deed, entry):
                failures[key] += 1
        elif entry.kind == "intent" and entry["action"] != "notify" and evidence.deeds[entry.leaf].effects:
            key = f"{entry['action']}@{entry['target']}"
            if is_open[key] or failures[key] >= most:
                evidence.blame("breaker", f"{entry['id']} of {key} after {failures[key]} failures in a row")


def _unprovable(deed: Deed, verdict: Entry) -> bool:
    """Whether a person turned a knob by the agent: nobody said what would prove that it helped."""
    return bool(verdict["result"] == "unverified" and deed.intent["request"] and deed.intent["action"] == "adjust")


@law
def ambiguous_is_never_tried_again(evidence: Evidence) -> None:
    """What may have happened is not done once more within the same incident."""
    doubtful: dict[tuple[str, float], tuple[int, str]] = {}
    opened: dict[str, float] = {}
    for entry in evidence.entries:
        if entry.kind == "state" and entry["from"] == "pending":
            opened[str(entry["subject"]).partition(":")[2]] = entry.at
        elif entry.kind == "outcome" and entry["result"] == "ambiguous" and (deed := evidence.deeds.get(entry["of"])):
            corr = deed.intent["corr"]
            doubtful[corr, opened.get(corr, 0.0)] = (deed.intent["step"], deed.intent["id"])
        elif entry.kind == "intent" and entry["rule"] and not entry["undoes"]:
            step, which = doubtful.get((entry["corr"], opened.get(entry["corr"], 0.0)), (-1, ""))
            if entry["step"] <= step:
                evidence.blame("ambiguous", f"{entry['id']} tries again what {which} may have done")


# Afterwards ---------------------------------------------------------------------------------------------------


@law
def every_intent_ends_once(evidence: Evidence) -> None:
    """S02: exactly one outcome at rest, at most one verdict, and a verdict for everything that had an effect."""
    for deed in evidence.deeds.values():
        name = deed.intent["id"]
        if len(deed.outcomes) > 1 or len(deed.verdicts) > 1:
            evidence.blame("ends once", f"{name} has {len(deed.outcomes)} outcomes, {len(deed.verdicts)} verdicts")
        if deed.intent.at > evidence.end - QUIET / 2:
            continue
        if not deed.outcomes:
            evidence.blame("ends once", f"{name} has no outcome at the end")
        elif not deed.verdicts and not deed.without_effect:
            evidence.blame("ends once", f"{name} ({deed.outcomes[0]['result']}) has no verdict at the end")


@law
def success_is_seen(evidence: Evidence) -> None:
    """S30: a cure is called verified only if what it had to bring about was seen after the effect had ended."""
    history = evidence.house.tap.history
    for deed in evidence.deeds.values():
        for verdict in deed.verdicts:
            if verdict["result"] != "verified" or deed.quiet:
                continue
            name = deed.intent["id"]
            if not deed.effects or deed.ended is None:
                evidence.blame("honest verdict", f"{name} was verified without an effect")
                continue
            if deed.undoes:
                continue  # its hand reads back: see `undolaws`
            key, good = _cure(deed)
            seen = [value for at, value in history.get(key, ()) if deed.ended - SLACK <= at <= verdict.at + SLACK]
            if not any(isinstance(value, float) and good(value) for value in seen):
                evidence.blame("honest verdict", f"{name} was verified, but of {key} only {seen} was seen since")


def _cure(deed: Deed) -> tuple[tuple[str, str], Callable[[float], bool]]:
    """What must be seen: the target and metric, and of which values."""
    intent = deed.intent
    if intent["rule"]:
        fact = FACTS[intent["rule"]]
        metric, good = fact.cured
        return (intent["target"] if fact.apart else str(intent["corr"]).partition("@")[2], metric), good
    metric = f"{intent['target'].partition(':')[0]}.up"
    return (intent["target"], metric), lambda value: value == (0 if intent["action"] == "stop" else 1)


@law
def parents_first(evidence: Evidence) -> None:
    """What requires something that is bad or unknown is left alone."""
    for deed, effect in evidence.acts():
        for parent, sample in effect.parents.items():
            told_now = sample is not None and sample.told >= effect.began
            if not told_now and (sample is None or sample.value != 1):
                evidence.blame("dependency", f"{deed.intent['id']} on {effect.target}, but {parent} is not healthy")


@law
def told_once(evidence: Evidence) -> None:
    """A gate's no is sealed once per incident."""
    seen: set[tuple[str, str, int]] = set()
    round_of: dict[str, int] = defaultdict(int)
    for entry in evidence.entries:
        if entry.kind == "state" and entry["from"] == "pending":
            round_of[str(entry["subject"]).partition(":")[2]] += 1
        elif entry.kind == "withheld" and entry["rule"] and not str(entry["corr"]).startswith("hook:"):
            key = (entry["corr"], entry["gate"], round_of[entry["corr"]])
            if key in seen:
                evidence.blame("told once", f"{entry['gate']} was sealed twice for {entry['corr']}")
            seen.add(key)


@law
def heals_and_is_quiet(evidence: Evidence) -> None:
    """L01, L02: after the faults everything healable is healthy within a bound, and then nothing more is done."""
    world, house = evidence.house.world, evidence.house
    if house.clock.at < evidence.end - SLACK or house.brakes.actions_per_hour < 60 or house.book.startswith("fight"):
        return
    sick = [name for name in world.things if not world.healthy(name)]
    if sick:
        evidence.blame("heals", f"{', '.join(sick)} still sick {house.clock.at - evidence.calm:.0f} s after the faults")
    late = [effect for _, effect in evidence.acts() if effect.began > evidence.end - QUIET]
    if late and not sick:
        evidence.blame("quiet", f"{late[0].verb} of {late[0].target} at the very end")


@law
def worth_testing(evidence: Evidence) -> None:
    """No law: notes what this seed has reached."""
    reach = evidence.house.chance.reach
    for entry in evidence.entries:
        if entry.kind == "outcome" and entry["result"] == "stale":
            reach("stale refused")
            if "incarnation" in entry["because"]:
                reach("another incarnation refused")
        elif entry.kind == "outcome" and entry["result"] == "interrupted":
            reach("interrupted closed")
        elif entry.kind == "withheld":
            if entry["gate"] == "mass_failure":
                reach("mass failure held")
            if entry["gate"] == "conflict":
                reach("duplicate suppressed")
