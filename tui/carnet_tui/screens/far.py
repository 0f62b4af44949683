"""A second desk for the store's thread: what is read there is read by connections of its own, kept for as long as a screen is open.

Opening one takes milliseconds, and a graph remembers what it found (which edges close a cycle, who stands where), so it is kept; closed it is by
whoever comes last, the screen that goes or the reading that is still under way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from carnet_store.errors import CarnetError
from carnet_tui.screens.subjects import SubjectScreen

if TYPE_CHECKING:
    from carnet_store import Desk, Project

T = TypeVar("T")


class Gone(CarnetError):
    """The screen that asked is gone; nobody waits for the answer."""


class Far:
    """The far desk of one screen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._near: Desk | None = None
        self._desk: Desk | None = None
        self._gone = False

    def read(self, near: Desk, ledger: str, work: Callable[[Project, Desk], T]) -> T:
        """Run `work` with the project (by ledger id) of a desk on the store of `near`; on the store's thread.

        Raises:
            Gone: the screen was closed meanwhile.
        """
        try:
            with self._lock:
                if self._gone:
                    raise Gone("the screen is closed")
                if self._desk is None or self._near is not near:  # another store was opened meanwhile
                    self._shut()
                    self._near, self._desk = near, near.clone()
                return work(self._desk.store.project(ledger), self._desk)
        finally:
            if self._gone:
                self.close()

    def close(self) -> None:
        """Close what is open, now or when the reading under way is done."""
        self._gone = True
        if self._lock.acquire(blocking=False):
            try:
                self._shut()
            finally:
                self._lock.release()

    def _shut(self) -> None:
        desk, self._desk = self._desk, None
        if desk is not None:
            desk.close()


class FarScreen(SubjectScreen):
    """A screen that reads on the store's thread by a far desk of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._far = Far()

    def far(self, work: Callable[[Project], T], then: Callable[[T], None], *, saying: str = "") -> None:
        """Run `work` with the project on the store's thread, then `then` with its result on the loop."""
        self.far_desk(lambda project, _: work(project), then, saying=saying)

    def far_desk(self, work: Callable[[Project, Desk], T], then: Callable[[T], None], *, saying: str = "") -> None:
        """Do the same with work that asks of other projects too: it is given the far desk."""
        near, ledger = self.desk, self.project.id
        self.work(lambda: self._far.read(near, ledger, work), then, saying=saying)

    async def far_aside(self, work: Callable[[Project], T], *, saying: str = "") -> T:
        """Run `work` with the project on the store's thread and return its result: for flows."""
        near, ledger = self.desk, self.project.id
        return await self.aside(lambda: self._far.read(near, ledger, lambda project, _: work(project)), saying=saying)

    def on_unmount(self) -> None:
        """Close the far desk."""
        self._far.close()
