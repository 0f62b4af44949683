"""Annotating, replying, resolving: on one store, on two that meet; and that no verdict moves."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from carnet_store import Acts, Desk, Invalid, Project, Refused, Usage
from carnet_store.domain.annotation import EXCERPT, Cell, anchored, cell_digest, near_of, read_threads
from carnet_store.work.identity import Keyring

if TYPE_CHECKING:
    from tests.conftest import World


def notebook(*sources: str) -> list[Cell]:
    return [Cell(cell_digest("code", source), "code", source) for source in sources]


CELLS = notebook("load()", "split(seed=7)", "fit()")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Desk, Project, Acts, str]]:
    """A desk of Ana with a notebook in the record."""
    clock = iter(range(1_772_000_000_000, 1_773_000_000_000, 1000))
    salts = random.Random(1)
    keyring = Keyring(tmp_path / "keys", entropy=salts.randbytes)
    desk = Desk.with_keyring(
        tmp_path / "work", keyring, keyring.new("Ana"), clock=lambda: next(clock), entropy=salts.randbytes
    )
    project, _ = desk.found("churn", roles=["researcher", "eraser"], team="research")
    acts = desk.acts(project)
    yield desk, project, acts, acts.declare("document", "explore.ipynb").entity
    desk.close()


Place = tuple[Desk, Project, Acts, str]


def test_annotate_edit_and_find_it_again(place: Place) -> None:
    """R117: annotate; edit the notebook; the annotation finds its cell again, or is orphaned."""
    _, project, acts, document = place
    first = acts.annotate(document, CELLS, 1, "why seven?").changes[0]
    acts.annotate(document, CELLS, 2, "slow")
    edited = notebook("import x", "load()", "split(seed=8)", "fit()")
    found = [(one.thread.annotation.text, one.at, one.how) for one in anchored(project.annotations(document), edited)]
    assert found == [("why seven?", 2, "near"), ("slow", 3, "exact")]
    gone = anchored(project.annotations(document), notebook("fit()"))
    assert [(one.at, one.how) for one in gone] == [(0, "exact"), (None, "orphaned")]
    acts.reply_annotation(first, "no reason")
    acts.resolve_annotation(first, "seeded by the config now")
    thread = project.annotations(document)[0]
    assert [reply.text for reply in thread.replies] == ["no reason"]
    assert thread.resolved is not None and thread.resolved.text == "seeded by the config now"
    assert (thread.annotation.near, thread.annotation.excerpt) == (near_of(CELLS, 1), "split(seed=7)")


def test_an_edited_notebook_that_was_imported_anew_keeps_its_annotations(place: Place) -> None:
    """R117: every import of other bytes is another document; the annotations of its name go with it."""
    _, project, acts, document = place
    acts.annotate(document, CELLS, 1, "why seven?")
    newer = acts.declare("document", "explore.ipynb", source=("notebook", "2")).entity
    other = acts.declare("document", "other.ipynb").entity
    acts.annotate(newer, CELLS, 0, "from where?")
    assert [thread.annotation.text for thread in project.annotations(newer)] == ["why seven?", "from where?"]
    assert project.annotations(newer) == project.annotations(document)
    assert project.annotations(other) == []


def test_two_stores_annotate_and_meet(world: World) -> None:
    """R117 R040: what two persons said apart stands side by side on both stores after they exchanged; each may resolve the other's."""
    ana = world.found("ana", bob=["deployer"])
    document = ana.declare("document", "explore.ipynb")
    bob = world.replica("bob")
    world.meet()
    value = {"text": "why?", "cell": CELLS[1].digest, "excerpt": "split"}
    hers = ana.act(document, "annotation.added", value, CELLS[1].digest)
    his = bob.act(document, "annotation.added", {**value, "text": "seed?"}, CELLS[1].digest)
    world.meet()
    bob.act(document, "annotation.resolved", {}, CELLS[1].digest, [hers])
    ana.act(document, "annotation.added", {"text": "because", "to": his}, CELLS[1].digest)
    ana.act(document, "annotation.resolved", {"note": "mine"}, CELLS[1].digest, [hers])
    world.meet()
    both = [read_threads(document, one.ledger.projection.changes(document)) for one in (ana, bob)]
    assert both[0] == both[1]
    threads = {thread.id: thread for thread in both[0]}
    assert (threads[hers].state, threads[his].state) == ("resolved", "open")
    assert [reply.text for reply in threads[his].replies] == ["because"]
    assert ana.digest() == bob.digest()
    assert ana.ledger.verify() == []


def test_nobody_hides_an_annotation_by_anything_but_resolving_it(world: World) -> None:
    """THREATS 32: an `over` of another kind, of its author too, takes no annotation away."""
    ana = world.found("ana", bob=["deployer"])
    document = ana.declare("document", "explore.ipynb")
    mine = ana.act(document, "annotation.added", {"text": "why?", "cell": "c"}, "c")
    ana.retract(document, [mine], "c")
    ana.act(document, "comment.added", {"text": "gone"}, "c", [mine])
    assert ana.change(mine).live


def test_annotations_are_in_no_package_and_leave_sign_offs_fresh(world: World) -> None:
    """R117: talk: the state of the document, which a package names and a signature binds, stays as it is."""
    ana = world.found("ana")
    document = ana.declare("document", "explore.ipynb")
    from carnet_store.domain.lineage import read_node

    def state() -> str:
        node = read_node(document, ana.ledger.projection.changes(document))
        assert node is not None
        return node.state

    before = state()
    first = ana.act(document, "annotation.added", {"text": "why?", "cell": "c"}, "c")
    ana.act(document, "annotation.added", {"text": "so", "to": first}, "c")
    ana.act(document, "annotation.resolved", {}, "c", [first])
    assert state() == before
    ana.act(document, "entity.described", {"value": "x"}, "owner")
    assert state() != before


def test_what_cannot_be_annotated_says_why(place: Place) -> None:
    _, project, acts, document = place
    data = acts.declare("dataset", "telco").entity
    with pytest.raises(Invalid):
        acts.annotate(document, CELLS, 0, "  ")
    with pytest.raises(Usage, match="no cell 4; the notebook has 3"):
        acts.annotate(document, CELLS, 3, "x")
    with pytest.raises(Usage, match="no cell 0"):
        acts.annotate(document, CELLS, -1, "x")
    with pytest.raises(Usage, match="telco is no document"):
        acts.annotate(data, CELLS, 0, "x")
    comment = acts.comment(document, "not an annotation").changes[0]
    with pytest.raises(Refused, match="is no annotation"):
        acts.reply_annotation(comment, "x")
    with pytest.raises(Refused, match="is no annotation"):
        acts.resolve_annotation(comment)
    first = acts.annotate(document, CELLS, 0, "x").changes[0]
    reply = acts.reply_annotation(first, "y").changes[0]
    with pytest.raises(Invalid):
        acts.reply_annotation(first, "")
    acts.resolve_annotation(reply)  # of a reply its thread is meant
    with pytest.raises(Refused, match="resolved already"):
        acts.resolve_annotation(first)
    assert project.annotations(document)[0].state == "resolved"


def test_an_erased_annotation_is_gone_and_its_replies_can_still_be_resolved(place: Place) -> None:
    """R117 C174: text and excerpt are values like others: shredded, they are in no answer, and the thread goes on."""
    _, project, acts, document = place
    first = acts.annotate(document, CELLS, 0, "SECRETWORD").changes[0]
    reply = acts.reply_annotation(first, "who wrote this?").changes[0]
    assert [hit.field for hit in project.search("SECRETWORD")] == ["annotation"]
    acts.erase([first], "a person asked to be forgotten")
    assert project.search("SECRETWORD") == []
    assert [thread.id for thread in project.annotations(document)] == [reply]
    with pytest.raises(Refused, match="erased"):
        acts.reply_annotation(first, "x")
    acts.resolve_annotation(reply)
    assert project.annotations(document)[0].state == "resolved"


def test_long_cells_and_many_cells_stay_bounded(place: Place) -> None:
    _, project, acts, document = place
    cells = notebook(*(f"x = {at}\n" + "y" * 50_000 for at in range(300)))
    acts.annotate(document, cells, 299, "long")
    (thread,) = project.annotations(document)
    assert len(thread.annotation.excerpt) == EXCERPT
    ((_, at, how),) = anchored([thread], [*cells[:299], Cell(cell_digest("code", "z"), "code", "z")])
    assert (at, how) == (299, "near")
    assert [hit.entity for hit in project.search("long", kinds=["document"])] == [document]


def test_the_excerpt_may_be_given_where_a_secret_was_taken_out(place: Place) -> None:
    _, project, acts, document = place
    cells: list[Any] = notebook("key = 'sk-123'")
    acts.annotate(document, cells, 0, "rotate it", excerpt="key = '<redacted>'")
    assert project.annotations(document)[0].annotation.excerpt == "key = '<redacted>'"
