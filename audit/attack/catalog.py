"""What an attack is: what the attacker has, what he does, and what each auditor must at least see of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from audit.attack.case import Case

    Make = Callable[[Case], None]


class Power(StrEnum):
    """What the attacker has; each has what those above it have, too."""

    NOTHING = "nothing"
    FILE = "write access to the file"
    RSA = "the RSA key"
    EVERY = "every key on the machine"


class Auditor(StrEnum):
    """What the auditor has; the order is that of the columns."""

    NOTHING = "nothing"
    KEY = "key"
    ANCHOR = "key + anchor"
    WITNESS = "key + witness"


class Verdict(IntEnum):
    """What an auditor sees, in words and by exit status; the greater the number, the more he sees."""

    UNBOUNDED = 0
    UNNOTICED = 1
    NOT_PROVEN = 2
    SEEN = 3

    @property
    def words(self) -> str:
        """The verdict as it is printed."""
        return ("takes too much", "unnoticed", "not proven", "seen")[self]

    @classmethod
    def of_exit(cls, status: int) -> Self:
        """Return what a verifier's exit status means to somebody whose log was attacked."""
        return cls({0: cls.UNNOTICED, 1: cls.SEEN}.get(status, cls.NOT_PROVEN))


_LETTERS: Final = {"s": Verdict.SEEN, "n": Verdict.NOT_PROVEN, "u": Verdict.UNNOTICED}


class Skipped(Exception):
    """An attack that cannot be made on this log, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One attack."""

    name: str
    family: str
    what: str
    """What the attacker does, one sentence."""
    power: Power
    must: Mapping[Auditor, Verdict]
    """What each auditor must see at the least."""
    because: str
    """Why no more than that can be seen; empty where it is seen by everybody."""
    make: "Make"
    codes: frozenset[str]
    """What the verifier may call it: one of these must be among what whoever sees most is told; empty for any."""
    control: bool = False
    """Whether this is no attack at all: then nothing but what is stated is right."""


@dataclass(slots=True)
class Family:
    """Attacks that go for the same thing; each is declared beside the function that makes it."""

    name: str
    what: str
    """What they go for, in words."""
    codes: str = ""
    """What the verifier may call them, where nothing else is said; words apart."""
    attacks: list[Attack] = field(default_factory=list)

    def __iter__(self) -> Iterator[Attack]:
        return iter(self.attacks)

    def attack(
        self, power: Power, must: str, because: str = "", *, codes: str = "", control: bool = False
    ) -> "Callable[[Make], Make]":
        """Declare the function below as an attack: its name and the first line of its docstring are the attack's.

        ``must`` has a letter for each auditor: ``s`` seen, ``n`` not proven, ``u`` unnoticed.
        """

        def declare(make: "Make") -> "Make":
            name = getattr(make, "__name__", "").strip("_").replace("_", "-")
            what = (make.__doc__ or "").strip().split("\n")[0].rstrip(".")
            self.add(name, what, power, must, make, because=because, codes=codes, control=control)
            return make

        return declare

    def add(
        self,
        name: str,
        what: str,
        power: Power,
        must: str,
        make: "Make",
        *,
        because: str = "",
        codes: str = "",
        control: bool = False,
    ) -> None:
        """Declare an attack, one of several that are made in the same way."""
        cells = dict(zip(Auditor, (_LETTERS[letter] for letter in must), strict=True))
        one = Attack(
            name=name,
            family=self.name,
            what=what,
            power=power,
            must=cells,
            because=because,
            make=make,
            codes=frozenset((codes or self.codes).split()),
            control=control,
        )
        self.attacks.append(one)
