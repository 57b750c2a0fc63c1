"""systemd's words for what it did not do, in ours."""

from healer.drivers.systemd.bus import SaidNoError
from healer.drivers.systemd.unit import Unit
from healer.errors import ActionError

ALLOW = "give its account the right by a polkit rule (systemd/50-healer.rules shows one), or run the agent as root"
_DENIED = (
    "org.freedesktop.DBus.Error.AccessDenied",
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
    "org.freedesktop.DBus.Error.AuthFailed",
    "org.freedesktop.systemd1.NotAuthorized",
)
_NEVER = {
    "org.freedesktop.systemd1.NoSuchUnit": "is it spelled as in systemctl list-unit-files?",
    "org.freedesktop.systemd1.LoadFailed": "systemctl status says what is wrong with its file",
    "org.freedesktop.systemd1.BadUnitSetting": "systemctl status says what is wrong with its file",
    "org.freedesktop.systemd1.UnitMasked": "somebody masked it; systemctl unmask lets it start again",
    "org.freedesktop.systemd1.JobTypeNotApplicable": "units of its type, or without ExecReload=, cannot do that",
    "org.freedesktop.systemd1.OnlyByDependency": "it is started and stopped with others only",
    "org.freedesktop.DBus.Error.InvalidArgs": "",
    "org.freedesktop.DBus.Error.PropertyReadOnly": "",
    "org.freedesktop.DBus.Error.UnknownMethod": "this systemd is too old for it",
}
_RESULTS = {
    "canceled": "another job took its place",
    "timeout": "it took longer than its own file allows",
    "dependency": "something it requires could not be started",
    "skipped": "it does not apply to the unit as it is",
    "invalid": "it does not apply to the unit as it is",
    "assert": "an assertion in its file does not hold",
    "unsupported": "units of its type cannot do that here",
    "collected": "systemd forgot the unit",
    "once": "it may be started only once per boot",
}
_LIMIT = "start-limit-hit"


def refused(verb: str, name: str, no: SaidNoError) -> ActionError:
    """What an error as an answer to a request means: nothing was done."""
    if no.name in _DENIED:
        return ActionError(f"not permitted to {verb} {name}", hint=ALLOW, transient=False)
    return ActionError(
        f"systemd refused to {verb} {name}: {no.message}"[:300],
        hint=_NEVER.get(no.name, ""),
        transient=no.name not in _NEVER,
    )


def skipped(verb: str, name: str) -> ActionError:
    """What the end of a job means that was ``done`` without anything having run."""
    return ActionError(f"{verb} of {name}: systemd skipped it; conditions in its file did not hold", transient=False)


def unsuccessful(verb: str, name: str, result: str, after: Unit | None) -> ActionError:
    """What the end of a job that is not ``done`` means."""
    said = _RESULTS.get(result, "")
    if result in ("failed", "done"):
        how = after.result if after is not None else ""
        said = f"it ended at once ({how or 'no result'})"
        if how == _LIMIT:
            hint = "it was started too often (StartLimitBurst= in its file); systemctl reset-failed forgets that"
            return ActionError(f"{verb} of {name}: systemd starts it no more", hint=hint)
    permanent = result in ("assert", "unsupported", "once", "skipped", "invalid")
    return ActionError(f"{verb} of {name} ended as {result}: {said}", transient=not permanent)
