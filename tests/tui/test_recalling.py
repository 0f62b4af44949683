"""Recalling a node and lifting that: what it touches is shown, the digest is typed, and it is seen red wherever the node or its gates are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from carnet_tui.screens import recalling
from carnet_tui.screens.far import Far, Gone
from carnet_tui.text import digest, width

Text = Callable[[Any], str]
WHY = "Ages of minors"


async def write(pilot: Any, settled: Any, text: str, *keys: str) -> None:
    """Type a text at once, then press keys."""
    await pilot.press(*("space" if char == " " else char for char in text))
    await pilot.press(*keys)


@pytest.fixture
def own(places: ModuleType, tmp_path: Any) -> Iterator[Any]:
    """A dataset, a run, a model version with an open gate."""
    tour = places.empty(tmp_path, {"CARNET_CONFIG": str(tmp_path / "config")})
    from carnet_store.work.templates import packs_for

    acts, ids = tour.acts(), tour.ids
    ids["data"] = acts.declare("dataset", "telco", version="3", digests={"sha256": "ab12" * 16}).entity
    ids["run"] = acts.declare("run", "r-012", edges=[("used", ids["data"])]).entity
    ids["model"] = acts.declare("model", "churn", version="2").entity
    acts.link(ids["run"], "made", ids["model"])
    ids["other"] = acts.declare("model", "other", version="1").entity
    ids["handoff"] = acts.open_handoff(ids["model"], packs_for("starter-research-to-engineering")).entity
    yield tour
    tour.desk.close()


async def test_a_recall_shows_what_it_touches_and_asks_for_the_digest(
    own: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R108, TUI.md 0.2: a reason is needed; wrong characters write nothing; the right ones do, and the lineage is red by sign and word."""
    async with visit(own, ("inbox",), ("lineage", "data")) as pilot:
        await pilot.press("exclamation_mark")
        text = screen_text(pilot.app)
        assert (
            "1 gate shut" in text
            and "churn@2, research to engineering" in text
            and "Tainted: 2 nodes (1 run, 1 model)." in text
        )
        await pilot.press("ctrl+d")
        assert "It needs a reason" in screen_text(pilot.app)
        await write(pilot, settled, WHY, "ctrl+d")
        assert "digest  ab12 ab12" in screen_text(pilot.app) and f"because {WHY}" in screen_text(pilot.app)
        await write(pilot, settled, "ffff", "enter")
        assert "These are not the first four characters" in screen_text(pilot.app) and own.project.recalls() == []
        await write(pilot, settled, "AB12", "enter")
        assert [one.reason for one in own.project.recalls()] == [WHY]
        text = screen_text(pilot.app)
        assert " recalled dataset telco@3; 1 gate shut until that is lifted.\n" in text
        assert (
            "dataset telco@3  ⊘ recalled" in text
            and "⊖ tainted r-012" in text
            and f"⊘ by Ana, 21 Sep 2026: {WHY}" in text
        )
        await pilot.press("right")
        assert f"⊖ dataset telco@3 was recalled by Ana: {WHY}" in " ".join(screen_text(pilot.app).split())
        for _ in range(2):
            await pilot.press("tab")
            assert "⊖ " in screen_text(pilot.app) and "tainted" in screen_text(pilot.app)


async def test_what_a_recall_touches_is_red_in_models_inbox_and_handoff(
    own: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """R108: the gate is shut for all to see; Enter on the reason leads to the lineage; what has nothing to do with it looks as before."""
    own.acts().recall(own.ids["data"], WHY)
    async with visit(own, ("inbox",)) as pilot:
        text = screen_text(pilot.app)
        assert "⊘ churn@2" in text and "recalled; " in text
        await pilot.press("2")
        text = screen_text(pilot.app)
        (row,) = [line for line in text.splitlines() if "churn@2" in line]
        assert "⊖ tainted; research to eng" in row
        (row,) = [line for line in text.splitlines() if "other@1" in line]
        assert "tainted" not in row and "recalled" not in row
        await pilot.press("1", "enter")
        text = screen_text(pilot.app)
        assert "⊘ dataset telco@3 was recalled by Ana: Ages of minors" in text
        await pilot.press("home", "enter")
        assert pilot.app.path[-1].name == "lineage" and "⊖ tainted" in screen_text(pilot.app)
    async with visit(own, ("inbox",), ("why", "data", "model")) as pilot:
        text = screen_text(pilot.app)
        assert "⊘ recalled" in text and "⊖ tainted" in text
    async with visit(own, ("models",), size=(40, 12)) as pilot:
        assert "⊖ churn@2" in screen_text(pilot.app)


async def test_a_recalled_node_is_lifted_by_the_same_key(own: Any, visit: Any, settled: Any, screen_text: Text) -> None:
    """Who recalled it and why stands above the reason for lifting; afterwards nothing is red, and the gate has to be signed again."""
    own.acts().recall(own.ids["data"], WHY)
    async with visit(own, ("inbox",), ("lineage", "data")) as pilot:
        await pilot.press("exclamation_mark")
        text = screen_text(pilot.app)
        assert "Lift the recall of dataset telco@3" in text and f"Recalled by Ana, 21 Sep 2026: {WHY}" in text
        await write(pilot, settled, "It was checked", "ctrl+d")
        assert "nothing opens by itself" in screen_text(pilot.app)
        await write(pilot, settled, "ab12", "enter")
        assert own.project.recalls() == []
        assert " lifted the recall of telco@3; 1 gate to be sealed and signed again.\n" in screen_text(pilot.app)
        assert "⊘" not in screen_text(pilot.app) and "⊖" not in screen_text(pilot.app)


async def test_models_and_inbox_recall_too_and_leaving_writes_nothing(
    own: Any, visit: Any, settled: Any, screen_text: Text
) -> None:
    """`!` on a version, and on a row of the inbox, is about that version; esc at any step leaves no trace."""
    before = own.project.ledger.count()
    async with visit(own, ("models",)) as pilot:
        await pilot.press("down", "exclamation_mark")
        assert "Recall model churn@2" in screen_text(pilot.app)
        await pilot.press("escape", "1", "exclamation_mark")
        assert "Recall model churn@2" in screen_text(pilot.app)
        await write(pilot, settled, WHY, "ctrl+d", "escape")
    assert own.project.ledger.count() == before
    own.desk.me = None
    assert recalling.why_not(own.project, own.ids["data"]) is None
    assert recalling.why_not(own.project, "dataset:" + "0" * 32) == "it is not declared here"


def test_the_digest_is_the_things_own_else_that_of_its_record(own: Any) -> None:
    """What is no digest is not asked for: a foreign text stands there as one, or nothing does."""
    acts = own.acts()
    strange = acts.declare("dataset", "x", digests={"md5": "\x1b[31m not hex at all"}).entity
    short = acts.declare("dataset", "y", digests={"crc32": "abcd"}).entity
    md5 = acts.declare("dataset", "z", digests={"md5": "0123456789abcdef" * 2}).entity
    nodes = [own.project.node(entity) for entity in (own.ids["data"], strange, short, md5)]
    found = [recalling.digest_of(node) for node in nodes]
    assert found == ["ab12" * 16, nodes[1].state, nodes[2].state, "0123456789abcdef" * 2]
    assert all(len(digest(one).replace(" ", "")) == 16 for one in found)


def test_what_is_touched_is_told_once_with_its_count(own: Any) -> None:
    """Two handoffs of one crossing are one line; deployments are named, because a recall takes none back."""
    from carnet_store.work.templates import packs_for

    acts = own.acts()
    acts.open_handoff(own.ids["model"], packs_for("starter-research-to-engineering"))
    acts.declare("deployment", "eu", edges=[("used", own.ids["model"])])
    lines = recalling.touched(own.project, own.ids["data"])
    assert lines[:2] == [
        "2 gates shut, sign-offs of their round are void:",
        "  - churn@2, research to engineering, 2 times",
    ]
    assert lines[-1] == "1 deployment made of it: a recall takes none of them back."
    assert recalling.touched(own.project, own.ids["other"]) == ["No gate is touched.", "Nothing came of it yet."]


@pytest.mark.parametrize("lifted", [True, False])
@pytest.mark.parametrize("gates", [0, 1, 12_345])
def test_what_was_done_fits_a_status_line(gates: int, lifted: bool) -> None:
    """Whatever the name: the sentence ends, and says what became of the gates; the name is cut for that."""
    for name in ("telco@3", "n" * 210, "顧客データ" * 20):
        said = recalling.done("environment", name, gates, lifted=lifted)
        assert width(said) <= 77 and said.endswith(".") and ("gate" in said)
        assert name in said or "…" in said


def test_a_far_desk_is_closed_by_whoever_comes_last(own: Any) -> None:
    """A screen that goes while something is being read leaves the closing to the reading; nobody reads afterwards."""
    far, seen = Far(), []

    def work(project: Any, desk: Any) -> str:
        seen.append(desk)
        far.close()  # the screen goes now
        return str(project.name)

    assert far.read(own.desk, own.project.id, work) == "churn"
    assert seen[0].store._open == {}
    with pytest.raises(Gone):
        far.read(own.desk, own.project.id, work)
