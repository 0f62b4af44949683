"""Bundles between the stores of a `World`: each store has a folder of objects; bundles are files in one place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from carnet_store.exchange import bundle as bundles
from carnet_store.exchange import intake
from carnet_store.exchange.bundle import Written
from carnet_store.exchange.intake import Accepted
from carnet_store.storage.objects import Objects

if TYPE_CHECKING:
    from tests.conftest import Replica


class Post:
    """Carries bundles between stores."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sent = 0

    def objects(self, replica: Replica) -> Objects:
        """Return the folder of objects of a store."""
        return Objects(self.folder / f"objects-{replica.name}-{replica.store}")

    def send(self, replica: Replica, *, base: Mapping[str, str] | None = None, name: str = "", **more: Any) -> Written:
        """Write a bundle of a store."""
        self._sent += 1
        path = self.folder / (name or f"{self._sent}-{replica.name}.carnet.zip")
        return bundles.write(replica.ledger, self.objects(replica), path, chain=replica.chain, base=base, **more)

    def receive(self, replica: Replica, path: Path, **more: Any) -> Accepted:
        """Inspect a bundle and accept it into a store."""
        with bundles.open_bundle(path) as bundle:
            objects = self.objects(replica)
            plan = intake.inspect(bundle, replica.ledger, objects, **more)
            return intake.accept(bundle, replica.ledger, objects, plan, **more)


@pytest.fixture
def post(tmp_path: Path) -> Post:
    folder = tmp_path / "post"
    folder.mkdir()
    return Post(folder)


def _state(replica: Replica, post: Post) -> tuple[Any, ...]:
    return (
        replica.ledger.places(), replica.digest(), replica.ledger.count(), sorted(post.objects(replica).all()),
        sorted(str(p) for p in post.objects(replica).root.rglob("*") if p.is_file()),
    )  # fmt: skip


@pytest.fixture
def state(post: Post) -> Callable[[Replica], tuple[Any, ...]]:
    """Return a function that describes all of a store that an import might change."""
    return functools.partial(_state, post=post)
