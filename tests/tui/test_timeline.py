"""The timeline: a sentence for every kind, what does not count with its reason, exact bytes, the record verified."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import carnet_store.desk
import carnet_store.domain.erasure  # noqa: F401 (kinds register themselves when their subject is imported)
from carnet_store.core.fold import Counts
from carnet_store.core.kind import KINDS
from carnet_tui.screens.timeline import History
from carnet_tui.views import timeline_view


class NoNames:
    """Names where nothing is known."""

    def person(self, person: str) -> str:
        return "somebody"

    def title(self, entity: str) -> str:
        return entity


def test_every_kind_has_a_sentence_and_no_other() -> None:
    """R125: no act is without words."""
    assert set(timeline_view.TELLERS) == set(KINDS)


def blank(kind: type[Any]) -> Any:
    """An instance of a kind with something in every field."""
    import types
    import typing

    def fill(hint: Any) -> Any:
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Union or origin is types.UnionType:
            return fill(args[0])
        if origin is tuple:
            return (fill(args[0]),)
        if origin in (dict, list):
            return {}
        if hint in (str, int, bool):
            return hint(1)
        return blank(hint) if hasattr(hint, "__struct_fields__") else "x"

    hints = typing.get_type_hints(kind)
    return kind(**{name: fill(hints[name]) for name in kind.__struct_fields__})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_sentence_can_be_told(kind: str) -> None:
    """A sentence from any value of its kind, and from a change whose value was erased."""
    change = SimpleNamespace(kind=kind, value=blank(KINDS[kind].type), entity="model:1", field="a.b", person="p", t=0)
    said = timeline_view.sentence(change, NoNames())  # type: ignore[arg-type]
    assert said and said[0].islower() and "\n" not in said
    change.value = None
    assert timeline_view.sentence(change, NoNames())  # type: ignore[arg-type]


def test_a_kind_of_a_newer_release_says_so() -> None:
    change = SimpleNamespace(kind="model.dreamt", value=None, entity="model:1", field="")
    assert "a newer Carnet" in timeline_view.sentence(change, NoNames())  # type: ignore[arg-type]


@pytest.mark.parametrize("counts", [one for one in Counts if one is not Counts.YES])
def test_what_does_not_count_says_why(counts: Counts) -> None:
    assert timeline_view.standing(SimpleNamespace(counts=counts)) == counts.words


def test_a_day_stands_on_its_first_row_across_pages(tour: Any) -> None:
    """Pages read one by one are the whole list."""
    source = History(tour.project, "", "")
    whole = source.page(0, 1000)
    assert len(whole) == source.count() == tour.project.count_changes()
    parts = [entry for start in range(0, len(whole), 7) for entry in source.page(start, 7)]
    assert parts == list(whole)
    days = [entry.day for entry in whole if entry.day]
    assert len(days) == len(set(days)) >= 1 and whole[0].day
    assert source.find(whole[5].key) == 5 and source.find("0" * 64) is None
    assert source.find("unreadable 3") is None and source.find(whole[-1].key) == len(whole) - 1
    assert [entry.key for entry in whole] == [change.id for change in tour.project.history(limit=1000)]


async def test_the_whole_story_in_plain_words(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R125: who did what when; the event's digest in full, the subject one Enter away."""
    async with visit(tour, ("timeline",), size=(120, 40)) as pilot:
        text = screen_text(pilot.app)
        assert "commented on churn@2: seen, thank you" in text
        assert "decided D-3: boosting without region, in place of D-1" in text
        newest = tour.project.history(limit=1)[0]
        event = newest.id.partition(".")[0]
        assert " ".join(event[at : at + 4] for at in range(0, 64, 4)) in text
        await pilot.press("enter")
        assert "[ churn@2 ]" in screen_text(pilot.app)
        await pilot.press("escape", "slash", *"D-3", "enter")
        assert "churn / boosting without region" in screen_text(pilot.app)
        assert "1 change" in screen_text(pilot.app)


async def test_the_exact_bytes_and_the_verified_record(
    tour: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R013: the signed bytes are shown as they are; verifying says how many events hold."""
    async with visit(tour, ("timeline",), size=(120, 50)) as pilot:
        await pilot.press("colon", *"exact", "enter")
        text = screen_text(pilot.app)
        assert '{"v":1,"seq":' in text and "signature" in text and '{"text":"seen, thank you"}' in text
        await pilot.press("escape", "colon", *"verify record", "enter")
        text = screen_text(pilot.app)
        assert "every link and signature holds" in text and "● verified" in text


async def test_what_a_stranger_wrote_is_shown_and_does_not_count(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R013: what does not count yet is kept, shown, and says when it will."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    tour.people["Tom"] = tour.desk.keyring.new("Tom", "tom@example.org")
    model = tour.acts().declare("model", "churn", version="1").entity
    tour.acts().invite("Tom", "tom@example.org", ["ml_engineer"])
    theirs = tour.acts("Tom")
    theirs.join(theirs.invitations()[0][0])
    theirs.comment(model, "hello")
    async with visit(tour, ("timeline",), size=(160, 30)) as pilot:
        text = screen_text(pilot.app)
        assert "✗ comment added on churn@1: hello  (counts once its author's joining is confirmed)" in text
        assert "not counted" in text
    tour.desk.close()


async def test_an_altered_record_is_named(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R013: a flipped byte on disk makes verifying say where."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    tour.acts().declare("model", "churn", version="1")
    db = sqlite3.connect(tour.project.path)
    with db:
        [number, line] = db.execute("SELECT id, line FROM event ORDER BY id DESC LIMIT 1").fetchone()
        db.execute("UPDATE event SET line = ? WHERE id = ?", (bytes(line).replace(b"churn", b"churm"), number))
    db.close()
    async with visit(tour, ("timeline",)) as pilot:
        text = screen_text(pilot.app)
        assert "The record was altered here" in text
        await pilot.press("colon", *"verify record", "enter")
        text = screen_text(pilot.app)
        assert "The record does not hold" in text and "event 1" in text and "not verified" in text
    tour.desk.close()


async def test_an_empty_store_and_hostile_words(
    places: ModuleType, tmp_path: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")}, found=False)
    async with visit(tour, ("timeline",), size=(40, 12)) as pilot:
        assert "Nothing has happened yet." in screen_text(pilot.app)
        await pilot.press("enter", "slash")
        assert "no project yet" in screen_text(pilot.app)
    evil = "x\x1b[31m\u202ey\x07"
    tour.desk.found(evil, roles=["researcher"])
    tour.acts().comment(tour.acts().declare("model", evil, version=evil).entity, evil)
    for size in ((80, 24), (160, 48), (40, 12)):
        async with visit(tour, ("timeline",), size=size) as pilot:
            text = screen_text(pilot.app)
            assert not any(sign in text for sign in "\x1b\x07\u202e") and "x␛[31m" in text
    tour.desk.close()
