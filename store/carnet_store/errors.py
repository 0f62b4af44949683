"""One tree of errors for people: what happened, where, what to do next.

Each leaf has the exit code of the command line (DESIGN.md section 6). Expected outcomes (a closed gate, a conflict, a
preview with problems) are values, never errors. Anything that is not a `CarnetError` is a bug.
"""

from __future__ import annotations

from collections.abc import Sequence


class CarnetError(Exception):
    """What happened (`message`), what to do next (`hint`), and each separate reason (`reasons`)."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "", reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.reasons = tuple(reasons)

    def __str__(self) -> str:
        lines = [self.message, *(f"  - {reason}" for reason in self.reasons)]
        return "\n".join([*lines, f"Next: {self.hint}"] if self.hint else lines)


class NotFound(CarnetError):
    """No such store, project, entity, handoff, item or file."""

    exit_code = 2


class Usage(CarnetError):
    """The call itself is wrong: an unknown word, two options that exclude each other."""

    exit_code = 2


class Refused(CarnetError):
    """The rules forbid it; `reasons` says which and `hint` what would allow it."""

    exit_code = 3


class Invalid(CarnetError):
    """Input that cannot be read: YAML, arguments, a malformed bundle. Nothing was written."""

    exit_code = 4


class Untrusted(CarnetError):
    """A signature, a chain or a digest does not hold. Nothing was written."""

    exit_code = 5


class TooNew(CarnetError):
    """Written by a newer Carnet; the hint names what to install."""

    exit_code = 6


class Busy(CarnetError):
    """Another process holds the store; try again."""

    exit_code = 7
