"""What can be done to any tree of processes: how much it gets of the host, put back when the incident is over."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from healer import blocking
from healer.actions.hand import Hand
from healer.actions.hands.asked import applied, changes, told
from healer.actions.interface import Done, Order
from healer.drivers import priority, trees
from healer.drivers.priority import Limits
from healer.errors import ActionError
from healer.model.change import Change

TreeOf = Callable[[Order], trees.Tree]
"""The processes of the order's target; raises ActionError where another incarnation runs than was judged."""
_PERIOD = 100_000
"""Microseconds: what a quota of CPU time is of, to the kernel."""
_LEAST_CPU, _MOST_CPU = 0.05, 1024.0
_LEAST_MEMORY, _MOST_MEMORY = 16.0 * 2**20, 2.0**50
_IN_GROUP = {"weight": "cpu.weight", "cpu": "cpu.max", "memory_high": "memory.high"}
SETTINGS = ("weight", "oom", "cpu", "memory_high")


class Adjust(Hand):
    """Niceness (or the weight of its control group), the OOM killer's order, CPU quota, memory throttling."""

    touches = "what the target's processes get of processor and memory"

    def __init__(self, tree_of: TreeOf) -> None:
        self._tree_of = tree_of

    async def act(self, order: Order) -> Done:
        """Change, or put back; raises ActionError."""
        tree = self._tree_of(order)
        back = order.params.get("back")
        if back is not None:
            return await blocking.call(lambda: _put_back(tree, order, back))
        _check_possible(order)
        wanted = changes(order, SETTINGS)
        return await blocking.call(lambda: _changed(tree, order, wanted))

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        if order.params.get("back") is not None:
            return f"would put back what {order.target.id} had"
        return f"would adjust {order.target.id}: {told(order, SETTINGS)}"


class _Setting:
    """One setting of a tree: read, planned, set and read back."""

    def __init__(self, name: str, tree: trees.Tree) -> None:
        self.name, self.tree = name, tree
        self._limits = Limits(tree.cgroup.path if tree.cgroup is not None else None)

    @property
    def pids(self) -> Sequence[int]:
        """All of them, now."""
        return sorted(trees.members(self.tree))

    @property
    def grouped(self) -> bool:
        """Whether its control group has it."""
        return self._limits.has("cpu.weight")

    def read(self) -> str:
        """As it is, as the kernel writes it; raises ActionError."""
        if self.name == "oom":
            return str(priority.oom(self.tree.root))
        if self.name == "weight" and not self.grouped:
            return str(priority.nice(self.tree.root))
        return self._limits.read(_IN_GROUP[self.name])

    def planned(self, change: Change) -> str:
        """The new value, as the kernel wants it, within bounds; raises ActionError."""
        now = self.read()
        if self.name == "oom":
            least, most = priority.OOM
            return str(round(applied(change, float(now), least=least, most=most, whole=1000.0)))
        if self.name == "weight":
            present = float(now) if self.grouped else priority.weight_of(int(now))
            weight = applied(change, present, least=priority.LEAST, most=priority.MOST, whole=100.0)
            return str(round(weight)) if self.grouped else str(priority.nice_of(weight))
        if self.name == "cpu":
            quota = applied(change, _cores(now), least=_LEAST_CPU, most=_MOST_CPU)
            return f"{round(quota * _PERIOD)} {_PERIOD}"
        high = float("inf") if now == "max" else float(now)
        return str(round(applied(change, high, least=_LEAST_MEMORY, most=_MOST_MEMORY)))

    def set(self, value: str) -> None:
        """Set it, and read it back; raises ActionError."""
        if self.name == "oom":
            priority.set_oom(self.pids, int(value))
        elif self.name == "weight" and not self.grouped:
            priority.renice(self.pids, int(value))
            priority.renice(self.pids, int(value))  # what was started while the first round went on
        else:
            self._limits.write(_IN_GROUP[self.name], value)
        if (found := self.read()) != value:
            raise ActionError(f"{self.name} is {found} and not {value}")

    def shown(self, value: str) -> str:
        """For people."""
        return f"niceness {value}" if self.name == "weight" and not self.grouped else f"{self.name} {value}"


def _cores(text: str) -> float:
    quota, _, period = text.partition(" ")
    return float("inf") if quota == "max" else float(quota) / float(period or _PERIOD)


def _changed(tree: trees.Tree, order: Order, wanted: Mapping[str, Change]) -> Done:
    settings = [_Setting(name, tree) for name in wanted]
    plan = [(one, one.read(), one.planned(wanted[one.name])) for one in settings]  # all of it, before anything is set
    noted: dict[str, Any] = {}
    for one, before, after in plan:
        if before == after:
            continue
        try:
            one.set(after)
        except ActionError:
            _restore(tree, noted)
            raise
        noted[one.name] = [before, after]
    said = ", ".join(f"{one.shown(after)} (was {before})" for one, before, after in plan if one.name in noted)
    if not noted:
        return Done(because=f"{order.target.id} has it so already", generation=order.generation)
    undo = {"back": {"generation": order.generation, "settings": noted}}
    return Done(because=f"{order.target.id}: {said}", generation=order.generation, undo=undo)


def _put_back(tree: trees.Tree, order: Order, back: Mapping[str, Any]) -> Done:
    if back.get("generation") != order.generation:
        return Done(because="what was changed has ended since: nothing to put back", generation=order.generation)
    done, others = _restore(tree, back.get("settings") or {})
    left = f"; left alone, since somebody else changed it: {', '.join(others)}" if others else ""
    return Done(
        because=f"{order.target.id}: {', '.join(done) or 'nothing'} put back{left}", generation=order.generation
    )


def _restore(tree: trees.Tree, noted: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    done, others = [], []
    for name, values in noted.items():
        if name not in SETTINGS or not isinstance(values, list | tuple) or len(values) != 2:
            raise ActionError("what was noted to put it back makes no sense", transient=False)
        one = _Setting(name, tree)
        if one.read() == str(values[1]):
            one.set(str(values[0]))
            done.append(one.shown(str(values[0])))
        else:
            others.append(name)
    return done, others


def _check_possible(order: Order) -> None:
    """Raise ActionError for what other kinds can adjust, and processes cannot."""
    others = sorted(
        name for name, value in order.params.items() if value is not None and name not in (*SETTINGS, "back")
    )
    if others:
        raise ActionError(
            f"{', '.join(others)} cannot be adjusted on a {order.target.kind}",
            hint=f"one of: {', '.join(SETTINGS)}", transient=False,
        )  # fmt: skip
