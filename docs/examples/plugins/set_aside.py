"""Sets the oldest files of a spool aside: an action."""

from pathlib import Path

from healer.plugin import Action, ActionError, Done, Param, Verb, action, blocking, params

VERB = Verb(
    kinds=("spool",),
    doc="Move the oldest files of a spool into the folder beside it, at most so many.",
    params=params(at_most=Param(shape="count", default=100, doc="files moved at once")),
    short="at_most",
)


@action("set_aside", VERB)
class SetAside(Action):
    """Nothing is deleted, and nothing moves across devices."""

    touches = "files in the spool, and a folder of the same name with .aside"

    async def act(self, order):
        """Move them; raises ActionError where nothing moved."""
        try:
            moved = await blocking.call(lambda: move(Path(order.target.spec["path"]), order.params["at_most"]))
        except OSError as exc:
            raise ActionError(f"could not set anything aside: {exc.strerror}") from exc
        # Not the proof: the rule's verify looks at spool.files again.
        return Done(because=f"set {moved} files aside")

    def would(self, order):
        """The sentence for a dry run."""
        return f"would set at most {order.params['at_most']} files of {order.target.spec['path']} aside"


def move(folder, at_most):
    """Move the oldest files; returns how many. Raises OSError."""
    aside = folder.with_name(f"{folder.name}.aside")
    aside.mkdir(mode=0o700, exist_ok=True)
    files = sorted((one for one in folder.iterdir() if one.is_file()), key=lambda one: one.lstat().st_mtime)
    for one in files[:at_most]:
        one.rename(aside / one.name)
    return len(files[:at_most])
