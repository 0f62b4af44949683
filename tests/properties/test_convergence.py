"""Stores that hold the same events hold the same state, in whatever order and portions the events came (R040, R043, C40)."""

from __future__ import annotations

import json
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carnet_store.errors import CarnetError

if TYPE_CHECKING:
    from tests.conftest import Replica, World

ACTS = (
    "comment", "comment", "answer", "answer", "settle", "erase", "sign", "resign", "comment", "answer", "settle", "retract", "declare", "import", "sign", "roster", "revoke", "fork", "adopt", "erase",
    "join", "admit", "key", "adopt_event", "resign", "recall", "lift", "exchange", "exchange", "exchange", "exchange",
)  # fmt: skip
ITEMS = ("data.split", "model.card", "ops.runbook")
PEOPLE = ("ana", "bob", "carl", "dora")


class Story:
    """Random people doing random things, on stores that meet now and then, some of it only."""

    def __init__(self, world: World, chance: random.Random, count: int) -> None:
        self.world, self.chance = world, chance
        first = world.found(
            "ana", admins=["ana", "bob"], bob=["deployer", "eraser"], carl=["auditor"], dora=["deployer"]
        )
        self.handoff = first.handoff()
        self.stores = [first]
        for name in PEOPLE[1:count]:
            store = world.replica(name)
            store.pull(first)
            self.stores.append(store)
        self.answers: set[str] = set()
        self.strangers = iter(("eva", "finn", "gus", "hal", "ida"))
        self.keys = iter(range(100))

    def pick(self) -> Replica:
        return self.chance.choice(self.stores)

    def changes(self, store: Replica, kind: str) -> list[str]:
        return [
            c.id for c in store.ledger.projection.select("WHERE k.text LIKE ? ORDER BY v.hash, c.id", (kind + "%",))
        ]

    def some(self, store: Replica, kind: str, most: int = 2) -> list[str]:
        held = self.changes(store, kind)
        return self.chance.sample(held, min(len(held), self.chance.randint(1, most))) if held else []

    def act(self, word: str) -> None:
        store, chance = self.pick(), self.chance
        name = chance.choice(PEOPLE)
        if word == "comment":
            store.comment(self.handoff, str(chance.random()))
        elif word == "answer":
            self.answers.add(store.answer(self.handoff, chance.choice(ITEMS), str(chance.random())))
        elif word == "settle":
            item = chance.choice(ITEMS)
            over = [c.id for c in store.live(self.handoff, "item.answered") if c.field == item]
            self.answers.add(
                store.answer(self.handoff, item, "settled", chance.choice(("researcher", "deployer")), over)
            )
        elif word == "retract":
            store.retract(self.handoff, self.some(store, "comment.added"))
        elif word == "declare":
            store.declare(chance.choice(("dataset", "run")), f"thing {chance.random()}")
        elif word == "import":
            store.import_from("run", "mlflow", str(chance.randint(1, 2)), f"run of {store.name}")
        elif word == "sign":
            store.sign_off(self.handoff, chance.choice(("approve", "refuse")), over=self.some(store, "gate.signed"))
        elif word == "resign":
            act = store.payload("waiver.granted", handoff=self.handoff, t=1, item="x", reason="r", mitigation="m",
                                expires=1, role="deployer")  # fmt: skip
            store.signed(self.handoff, "waiver.granted", act)
        elif word == "recall":
            node = store.import_from("run", "mlflow", str(chance.randint(1, 2)), "run recalled")
            store.act(node, "recall.declared!", {"reason": "a wrong join"})
            value = {"entity": node, "round": chance.randint(0, 2), "reason": "a wrong join"}
            store.act(self.handoff, "handoff.recalled!", value, node)
        elif word == "lift":
            for change_id in self.some(store, "recall.declared", 1):
                entity = store.change(change_id).entity
                act = store.payload("recall.lifted", entity=entity, reason="it was right", t=1)
                store.signed(entity, "recall.lifted", act, over=[change_id])
        elif word == "roster":
            by = chance.choice((["ana", "bob"], ["ana"], [store.name]))
            store.roster(by=by, **{name: chance.choice((["deployer"], ["auditor", "eraser"], []))})  # type: ignore[arg-type]
        elif word == "revoke":
            last = {h.key: h.place for h in store.ledger.heads()
                    if store.ledger.projection.people.author(h.no) == self.world.person(name) and chance.random() < 0.8}  # fmt: skip
            store.revoke(name, last)
        elif word == "fork":
            twin = store.copy(f"twin{next(self.keys)}")
            self.stores.append(twin)
        elif word == "adopt":
            forked = [h for h in store.ledger.heads() if store.ledger.projection.people.is_forked(h.key)]
            if forked:
                head = chance.choice(forked)
                new = self.world.replica(chance.choice(PEOPLE), f"new{next(self.keys)}")
                new.pull(store)
                new.adopt_fork(head.key, head.hash)
                self.stores.append(new)
        elif word == "adopt_event":
            store.adopt_events(*[c.split(".")[0] for c in self.some(store, "comment.added", 4)])
        elif word == "erase":
            targets = [*self.some(store, "comment.added"), *self.some(store, "waiver.granted", 1),
                       *(self.some(store, "item.answered", 1) if chance.random() < 0.5 else [])]  # fmt: skip
            store.erase(*targets, by=chance.choice(([store.name], [store.name, "ana"])))
        elif word == "join":
            new_name = next(self.strangers, "")
            if new_name:
                new = self.world.replica(new_name, open_chain=False)
                new.join(store, store.invite(new_name))
                self.stores.append(new)
        elif word == "admit":
            for newcomer in store.ledger.projection.people.waiting_newcomers()[:1]:
                named: dict[str, list[str]] = {newcomer.name.lower(): ["deployer"]}
                store.roster(joined=newcomer.change, **named)  # type: ignore[arg-type]
        elif word == "key":
            store.add_key(f"{store.name} {next(self.keys)}")
        else:
            self.exchange(store, self.pick())

    def exchange(self, to: Replica, other: Replica) -> None:
        """Some chains, up to some place, in any order, some of it twice; a gap is refused and leaves no trace."""
        if to is other:
            return
        segments = other.segments()
        self.chance.shuffle(segments)
        segments = segments[: self.chance.randint(1, len(segments))]
        parts = [(key, lines[: self.chance.randint(0, len(lines))]) for key, lines in segments]
        before = to.ledger.projection.full_digest()
        try:
            to.take([*parts, *parts[:1]])
        except CarnetError:
            assert to.ledger.projection.full_digest() == before

    def finish(self) -> None:
        """Everybody hears everything, each in another order."""
        for _ in range(2):
            for store in self.stores:
                others = [other for other in self.stores if other is not store]
                self.chance.shuffle(others)
                for other in others:
                    segments = other.segments()
                    segments.sort(key=lambda s: (json.loads(s[1][0])[1]["seq"] if s[1] else 0, self.chance.random()))
                    store.take(segments)


def tell(world: World, number: int, words: list[str], count: int) -> Story:
    chance = random.Random(number)
    story = Story(world, chance, count)
    for word in words:
        story.act(word)
    story.finish()
    return story


def check(story: Story) -> None:
    stores = story.stores
    assert {store.ledger.count() for store in stores} == {stores[0].ledger.count()}
    assert all(not store.ledger.waiting() for store in stores)
    if len({s.ledger.projection.full_digest() for s in stores}) != 1:
        explain(stores)
    assert len({store.digest() for store in stores}) == 1
    for store in stores:
        before = store.ledger.projection.full_digest()
        kept = store.ledger.projection.kept_sum()
        assert kept == store.ledger.projection.table_sum()
        store.ledger.rebuild()
        assert store.ledger.projection.full_digest() == before, f"{store.name} {store.store}: folding anew differs"
    assert len({store.ledger.projection.full_digest() for store in stores}) == 1
    held = set(story.changes(stores[0], "item.answered"))
    assert story.answers <= held, "an answer was lost"
    assert stores[0].ledger.verify() == []


def explain(stores: list[Replica]) -> None:
    """Print where two stores differ, for whoever mends it."""
    first = {c.id: c for c in stores[0].ledger.projection.select("")}
    for other in stores[1:]:
        for change in other.ledger.projection.select(""):
            mine = first.get(change.id)
            if mine != change:
                print(other.name, other.store, "\n  ", mine, "\n  ", change)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.lists(st.sampled_from(ACTS), min_size=5, max_size=40), st.integers(3, 4))
def test_stores_that_met_agree(world_in: type[World], number: int, words: list[str], count: int) -> None:
    with TemporaryDirectory() as folder:
        world = world_in(Path(folder))
        try:
            check(tell(world, number, words, count))
        finally:
            world.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(12))
def test_long_stories_agree(world: World, number: int) -> None:
    chance = random.Random(number)
    check(tell(world, number, chance.choices(ACTS, k=80), 4))
