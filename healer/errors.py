"""The few errors somebody catches, all under one root."""


class HealerError(Exception):
    """Something went wrong that a person can act on.

    ``message`` says what happened, ``hint`` what to do about it (may be empty).
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class SensorError(HealerError):
    """A look that could not be made: its series become unknown, never bad and never fine."""


class ActionError(HealerError):
    """An effect that did not happen, or not as told. ``transient`` says whether a later try may succeed."""

    def __init__(self, message: str, *, hint: str = "", transient: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.transient = transient


class SkippedError(ActionError):
    """An effect that was not tried, because what carries it out failed too often of late."""


class AmbiguousError(ActionError):
    """Nobody can tell whether the effect happened (for example: the reply was lost). Never retried."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, transient=False)


class ConfigError(HealerError):
    """Configuration or rules that cannot be used; ``problems`` lists each mistake: ``file:line:col: what (hint)``."""

    def __init__(self, message: str, *, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class RefusedError(HealerError):
    """A request that is not legal now (an illegal move of the state machine, an unknown name)."""


class SealError(HealerError):
    """The log did not take an entry: nothing that needs it may happen."""


class LogFullError(SealError):
    """There is no room for it: only what gives space back may happen."""
