"""Random damage: any flipped byte of a bundle is refused; damage with the outer digest made right ends in a refusal or in the same state."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carnet_store.errors import CarnetError, Invalid, TooNew, Untrusted
from carnet_store.exchange import bundle as bundles
from carnet_store.exchange import intake
from carnet_store.exchange.safezip import COMMENT_BYTES
from carnet_store.storage.ledger import Ledger
from carnet_store.storage.objects import Objects

if TYPE_CHECKING:
    from tests.conftest import World

QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)


class Target:
    """A good bundle's bytes, and a store that must stay as it is."""

    def __init__(self, folder: Path, good: bytes, ledger: Ledger) -> None:
        self.path, self.good, self.ledger = folder / "damaged.carnet.zip", good, ledger
        self.objects = Objects(folder / "receiver")

    def state(self) -> tuple[Any, ...]:
        files = sorted(str(p) for p in self.objects.root.rglob("*") if p.is_file())
        return self.ledger.places(), self.ledger.projection.digest(), files

    def take(self, data: bytes) -> bool:
        """Inspect and accept damaged bytes; say whether they were accepted."""
        self.path.write_bytes(data)
        try:
            with bundles.open_bundle(self.path) as bundle:
                intake.inspect(bundle, self.ledger, self.objects)
            return True
        except (Invalid, Untrusted, TooNew) as error:
            assert error.exit_code in (4, 5, 6)
            return False


@pytest.fixture
def target(world: World, tmp_path: Path) -> Iterator[Target]:
    ana = world.found("ana", bob=("ml_engineer",))
    bob = world.replica("bob")
    objects = Objects(tmp_path / "sender")
    handoff = ana.handoff()
    held = objects.put(b"model bytes " * 30)
    ana.act(handoff, "handoff.filed", {"file": {"path": "m", "sha256": held, "size": 360}}, held)
    ana.sign_off(handoff)
    path = tmp_path / "good.carnet.zip"
    bundles.write(ana.ledger, objects, path, chain=ana.chain)
    yield Target(tmp_path, path.read_bytes(), bob.ledger)


def test_the_good_one_is_accepted(target: Target) -> None:
    assert target.take(target.good)


@QUIET
@given(data=st.data())
def test_any_flipped_byte_is_refused(target: Target, data: st.DataObject) -> None:
    """THREATS 25: every byte is covered."""
    place = data.draw(st.integers(0, len(target.good) - 1))
    flip = data.draw(st.integers(1, 255))
    damaged = bytearray(target.good)
    damaged[place] ^= flip
    before = target.state()
    assert not target.take(bytes(damaged))
    assert target.state() == before


@QUIET
@given(seed=st.integers(0, 2**32), how=st.sampled_from(["flip", "cut", "insert", "swap", "zero"]))
def test_damage_under_a_right_digest(target: Target, seed: int, how: str) -> None:
    """An attacker makes the comment right: still nothing but a refusal, or exactly the good bundle's content."""
    chance = random.Random(seed)
    body = bytearray(target.good[:-COMMENT_BYTES])
    for _ in range(chance.randint(1, 3)):
        place, length = chance.randrange(len(body) - 64), chance.randint(1, 48)
        if how == "flip":
            body[place] ^= chance.randint(1, 255)
        elif how == "cut":
            del body[place : place + length]
        elif how == "insert":
            body[place:place] = chance.randbytes(length)
        elif how == "zero":
            body[place : place + length] = bytes(length)
        else:
            other = chance.randrange(len(body) - 64)
            body[place : place + 32], body[other : other + 32] = body[other : other + 32], body[place : place + 32]
    data = bytes(body) + b"carnet-bundle/1 sha256:" + hashlib.sha256(body).hexdigest().encode()
    before = target.state()
    try:
        accepted = target.take(data)
    except CarnetError as error:  # a consent, at most
        raise AssertionError(error) from error
    if accepted:
        with bundles.open_bundle(target.path) as bundle:
            content = {name: b"".join(bundle.archive.chunks(name)) for name in bundle.archive.members}
        target.path.write_bytes(target.good)
        with bundles.open_bundle(target.path) as bundle:
            assert content == {name: b"".join(bundle.archive.chunks(name)) for name in bundle.archive.members}
    assert target.state() == before
