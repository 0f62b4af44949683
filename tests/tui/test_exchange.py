"""Exchange: who lacks what, bundles written with a message to paste, plans read before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from carnet_store import Desk
from carnet_tui.views import exchange_view
from carnet_tui.views.item_view import size_words


@pytest.fixture
def pair(places: ModuleType, tmp_path: Path) -> Iterator[Any]:
    """Ana's store, and Bea's, which is empty; `bundle` is the whole record, `answer` brings Bea's answer back."""
    environ = {"CARNET_CONFIG": str(tmp_path / "config")}
    tour = places.build(tmp_path, environ, runs=0)
    there = Desk.create(tmp_path / "bea", who="Bea", environ=environ, clock=tour.clock)
    there.entropy = tour.desk.entropy
    (tmp_path / "files").mkdir()
    bundle = tmp_path / "files" / "to-bea.carnet.zip"
    tour.acts()
    tour.desk.export(tour.project, bundle)
    hers = places.Tour(there, tmp_path, tour.people, tour.clock, tour.ids)
    yield SimpleNamespace(ana=tour, bea=hers, bundle=bundle, folder=tmp_path)
    tour.desk.close()
    there.close()


async def test_who_lacks_what_and_a_bundle_with_three_lines_to_paste(
    pair: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """Enter writes what these people lack under a telling name, after a preview of what leaves and stays."""
    pair.ana.acts().comment(pair.ana.ids["model"], "one more")
    async with visit(pair.ana, ("exchange",), size=(100, 30)) as pilot:
        text = screen_text(pilot.app)
        assert (
            "research (Bea)" in text and "sent never  heard never" in text and "1 event of yours not shared yet" in text
        )
        assert "engineering (Tom)" in text and "the whole record" in text
        await pilot.press("enter")
        assert "nothing written yet" in screen_text(pilot.app)
        assert not list((pair.folder / "ana").glob("*.carnet.zip"))
        await pilot.press("enter")
        text = screen_text(pilot.app)
        assert "a Carnet bundle from Ana to research (Bea)" in text and "Look into it, then take it in" in text
        assert pilot.app.clipboard.count("\n") == 2
        [made] = (pair.folder / "ana").glob("*.carnet.zip")
        assert made.name.startswith("churn-to-research-20")
        await pilot.press("escape")
        assert "all you wrote was shared" in screen_text(pilot.app)


async def test_what_leaves_is_told_with_its_size_before(
    pair: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """For whom, how many events and files, how large, what stays; the bundle then holds just that."""
    tour = pair.ana
    (pair.folder / "model.bin").write_bytes(b"w" * 3000)
    acts = tour.acts()
    acts.file(tour.ids["handoff"], pair.folder / "model.bin")
    acts.keep_draft(f"answer {tour.ids['handoff']} approach.decision", {"value": {"state": "unknown"}})
    hers = tour.desk.foresee(tour.project, to=[tour.people["Bea"].person])
    assert hers.events > 1 and hers.objects > 1 and hers.object_bytes > 3000
    files = f"{hers.objects} files, {size_words(hers.object_bytes)}"
    async with visit(tour, ("exchange",), size=(100, 40)) as pilot:
        await pilot.press("enter")
        text = screen_text(pilot.app)
        assert "for         research (Bea)" in text and "nothing written yet" in text
        assert f"{hers.events} events of churn, {size_words(hers.event_bytes)} of text" in text
        assert f"{files} as they are" in text
        assert "1 draft of yours" in text and "your keys and passphrases" in text
        await pilot.press("escape", ":", *"export", "enter", "n")
        assert f"none: {files} stay here and are listed as missing" in screen_text(pilot.app)
        await pilot.press("escape", "end", "enter")
        text = screen_text(pilot.app)
    foreseen = tour.desk.foresee(tour.project)
    assert "for         the whole record" in text and f"{foreseen.events} events of churn" in text
    made = tour.desk.export(tour.project, pair.folder / "files" / "whole.carnet.zip")
    assert (foreseen.events, foreseen.objects, foreseen.missing) == (made.events, made.objects, made.missing)
    bare = tour.desk.foresee(tour.project, with_objects=False)
    assert (bare.objects, bare.object_bytes, bare.missing) == (0, 0, foreseen.objects + foreseen.missing)
    since = tour.desk.foresee(tour.project, since=pair.bundle)
    assert (since.events, since.objects) == (1, 1)


async def test_a_new_project_needs_its_founders_key_compared(
    pair: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """Nothing is written before the founder's fingerprint is confirmed by typing its start."""
    there = pair.bea
    async with visit(there, ("exchange",), ("import", str(pair.bundle)), who="Bea", size=(90, 40)) as pilot:
        text = screen_text(pilot.app)
        assert "every signature, link and digest holds" in text and "founded by Ana" in text
        assert "compare the key, take it in" in text and "esc discard, nothing written" in text
        await pilot.press("enter", *"wrong1", "enter")
        assert "These are not its first characters" in screen_text(pilot.app)
        await pilot.press("escape")
        assert not there.desk.projects()
        finger = pair.ana.people["Ana"].fingerprint.partition(":")[2]
        await pilot.press("enter")
        for sign in finger[:6]:
            await pilot.press({"+": "plus", "/": "slash"}.get(sign, sign))
        await pilot.press("enter")
        assert "Took in" in screen_text(pilot.app) and "This is what needs you now." in screen_text(pilot.app)
    assert [row.name for row in there.desk.projects()] == ["churn"]


async def test_esc_leaves_no_trace_and_a_bundle_known_already_says_so(
    pair: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """Looking is free; taking in twice changes nothing."""
    before = sorted(str(p) for p in (pair.folder / "bea").rglob("*") if "ledgers" in str(p))
    async with visit(pair.bea, ("exchange",), ("import", str(pair.bundle)), who="Bea") as pilot:
        await pilot.press("escape")
    assert sorted(str(p) for p in (pair.folder / "bea").rglob("*") if "ledgers" in str(p)) == before
    async with visit(pair.ana, ("exchange",), ("import", str(pair.bundle))) as pilot:
        text = screen_text(pilot.app)
        assert "+ 0 new" in text and "this store has it all already" in text
        await pilot.press("enter")
        assert "all of it is here" in screen_text(pilot.app)


async def test_a_plan_shows_conflicts_and_what_becomes_of_gates(
    pair: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """R112: both answers are shown before they are taken in, and both are kept."""
    ana, bea = pair.ana, pair.bea
    bea.desk.become(bea.people["Bea"])
    bea.desk.accept(pair.bundle, trust=ana.project.id)
    bea.answer("Bea", "approach.decision", {"state": "given", "links": [bea.ids["replacing"]]})
    ana.answer("Ana", "approach.decision", {"state": "given", "links": [ana.ids["decision"]]})
    back = pair.folder / "ana" / "from-bea.carnet.zip"
    bea.desk.become(bea.people["Bea"])
    bea.desk.export(bea.project, back)
    async with visit(ana, ("exchange",), size=(90, 40)) as pilot:
        text = screen_text(pilot.app)
        assert "LIES HERE, NOT TAKEN IN" in text and "from-bea.carnet.zip" in text
        await pilot.press("enter")
        text = screen_text(pilot.app)
        assert "from Bea" in text and "1 conflict" in text and "churn@2  approach.decision" in text
        assert "All answers are kept." in text
        assert not ana.project.handoff(ana.ids["handoff"]).in_conflict("approach.decision")
        await pilot.press("enter")
        assert "1 conflict to settle" in screen_text(pilot.app)
    assert ana.project.handoff(ana.ids["handoff"]).in_conflict("approach.decision")


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + b"\0" * 18])
async def test_what_is_no_bundle_is_refused_in_words(
    pair: Any, content: bytes, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """A broken file ends in a clear refusal; it is offered with its reason and never taken in."""
    path = pair.folder / "ana" / "bad.carnet.zip"
    path.write_bytes(content)
    async with visit(pair.ana, ("exchange",)) as pilot:
        assert "bad.carnet.zip" in screen_text(pilot.app)
    async with visit(pair.ana, ("exchange",), ("import", str(path))) as pilot:
        text = screen_text(pilot.app)
        assert "cannot be taken in" in text and "Nothing was written." in text
        await pilot.press("enter")
        assert "it is refused" in screen_text(pilot.app)


async def test_an_altered_bundle_is_refused(
    pair: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    raw = bytearray(pair.bundle.read_bytes())
    raw[len(raw) // 3] ^= 1
    path = pair.folder / "files" / "altered.carnet.zip"
    path.write_bytes(bytes(raw))
    async with visit(pair.bea, ("exchange",), ("import", str(path)), who="Bea", size=(40, 12)) as pilot:
        assert "cannot be taken in" in screen_text(pilot.app)
        await pilot.press("enter")
    assert not pair.bea.desk.projects()


async def test_an_empty_store_offers_to_open_a_bundle(
    pair: Any, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    async with visit(pair.bea, ("exchange",), who="Bea") as pilot:
        assert "n opens a bundle" in screen_text(pilot.app)
        await pilot.press("n", *"nowhere", "enter")
        assert "There is no file" in screen_text(pilot.app)


def test_a_name_no_file_has_yet() -> None:
    """Names from elsewhere never leave their folder, and are never taken twice."""
    name = exchange_view.file_name("../Évil proj/\x1b", "Team: Ops", "2026-11-14", ())
    assert "/" not in name and name.isascii() and name.endswith("-2026-11-14.carnet.zip") and not name.startswith(".")
    assert exchange_view.file_name("a", "b", "c", ["a-to-b-c.carnet.zip"]) == "a-to-b-c-2.carnet.zip"


def test_a_fingerprint_is_confirmed_by_its_start_alone() -> None:
    finger = "SHA256:FTsKm7a3D3aXmgo1wVil"
    assert (
        exchange_view.fits("FTsKm7", finger)
        and exchange_view.fits(finger, finger)
        and exchange_view.fits("FTs Km7", finger)
    )
    assert not exchange_view.fits("FTsKm", finger)
    assert not exchange_view.fits("ftskm7", finger) and not exchange_view.fits("SHA256:", finger)


async def test_hostile_names_show_as_signs(
    places: ModuleType, tmp_path: Path, visit: Any, settled: Any, screen_text: Callable[[Any], str]
) -> None:
    """A project, people and files named to steer a terminal are shown as signs, here and in what is copied."""
    evil = "x\x1b[31m\u202ey\x07"
    environ = {"CARNET_CONFIG": str(tmp_path / "config")}
    tour = places.empty(tmp_path, environ, found=False)
    tour.desk.found(evil, roles=["researcher"], team=evil)
    tour.acts().declare("model", evil, version=evil)
    bundle = tmp_path / "ana" / "x\x1b[31my.carnet.zip"
    tour.desk.export(tour.project, bundle)
    there = Desk.create(tmp_path / "there", environ=environ, clock=tour.clock)
    hers = places.Tour(there, tmp_path, tour.people, tour.clock)
    for size in ((80, 24), (160, 48), (40, 12)):
        for steps in ((("exchange",),), (("exchange",), ("import", str(bundle)))):
            async with visit(hers, *steps, size=size) as pilot:
                assert not any(sign in screen_text(pilot.app) for sign in "\x1b\x07\u202e")
        async with visit(tour, ("exchange",), size=size) as pilot:
            await pilot.press("end", "enter", "enter")
            text = screen_text(pilot.app)
            assert not any(sign in text for sign in "\x1b\x07\u202e")
            assert not any(sign in pilot.app.clipboard for sign in "\x1b\x07\u202e")
            assert "x␛[31m" in pilot.app.clipboard
    tour.desk.close()
    there.close()
