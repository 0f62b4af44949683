"""What is up with nodes, in folds too: what is recalled or tainted and not drawn is counted, with runs and without them."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from carnet_tui.glyphs import STATES, Glyphs
from carnet_tui.views import lineage_standing, lineage_view
from carnet_tui.views.lineage_asked import Around, Chosen
from carnet_tui.views.lineage_standing import Standing

SIGNS = Glyphs(plain=False)


@pytest.fixture(scope="module")
def spoilt(places: ModuleType, tmp_path_factory: Any) -> Iterator[Any]:
    """Two datasets, the one recalled; fifty runs used it and ten the other; each made a feature."""
    folder = tmp_path_factory.mktemp("spoilt")
    tour = places.empty(folder, {"CARNET_CONFIG": str(folder / "config")})
    acts = tour.acts()
    tour.ids["bad"] = acts.declare("dataset", "bad").entity
    tour.ids["good"] = acts.declare("dataset", "good", edges=[]).entity
    tour.ids["code"] = acts.declare("code", "repo", attrs={"commit": "ab12"}).entity
    for number in range(60):
        data = tour.ids["bad" if number < 50 else "good"]
        run = acts.declare("run", f"r-{number:02}", edges=[("used", data), ("used", tour.ids["code"])]).entity
        acts.link(run, "made", acts.declare("feature", f"f-{number:02}", version="1").entity)
    acts.recall(tour.ids["bad"], "It read the wrong table")
    yield tour
    tour.desk.close()


def read(tour: Any, asked: Around | Chosen) -> tuple[lineage_view.Scene, Standing]:
    standing = lineage_standing.read(tour.project)
    scene = lineage_view.read_scene(tour.project, asked, standing, SIGNS)
    assert scene is not None and scene.focus is not None
    return scene, standing


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("name", ["bad", "good", "code"])
def test_a_map_counts_what_is_tainted_beyond_it(spoilt: Any, name: str, loaded: bool) -> None:
    """Of the neighbours that are not at hand, so many are tainted as came of the recalled one; before the whole graph is read too."""
    if loaded:
        assert spoilt.project.graph.arrays.nodes
    scene, standing = read(spoilt, Around(spoilt.ids[name]))
    assert scene.focus is not None
    drawn = sum(one.row.kind == "run" and bool(standing.taints(scene.nos[one.row.id])) for one in scene.focus.nodes)
    tainted = {"bad": 50, "good": 0, "code": 50}[name] - drawn
    assert lineage_view.bad_in_folds(scene)["down"].get("tainted", 0) == tainted
    assert (tainted > 0) == (name != "good")


def test_a_picture_says_it_in_its_folds(spoilt: Any) -> None:
    """With its runs, and where these are left out: then features lie behind the folds."""
    for runs, kind in ((True, "run"), (False, "feature")):
        scene, standing = read(spoilt, Around(spoilt.ids["bad"], 2, 2, runs))
        assert scene.picture is not None and scene.focus is not None
        (fold,) = (one for one in scene.focus.folds if one.parent == spoilt.ids["bad"])
        assert fold.kind == kind
        key = lineage_view.fold_key(fold)
        assert scene.bad[key] == {"recalled": 0, "tainted": fold.count}
        text = "\n".join("".join(part for part, _ in line) for line in scene.picture.frame(0, 0, 200, 200))
        assert f"… {fold.count} more {kind}s, {fold.count} tainted" in text
        (one,) = (line for line in scene.picture.frame(0, 0, 200, 200) if any("more" in part for part, _ in line))
        assert any("more" in part and style == "bad" for part, style in one)
        again = lineage_view.read_rest(spoilt.project, scene, standing, SIGNS)
        assert again.picture is scene.picture  # the same is not laid out twice


def test_what_nobody_recalled_is_not_counted(spoilt: Any) -> None:
    """Nothing to say where nothing is recalled, and in a set, which folds nothing."""
    scene = lineage_view.read_scene(spoilt.project, Around(spoilt.ids["bad"]), lineage_standing.NOTHING, SIGNS)
    assert scene is not None and not scene.bad
    assert not read(spoilt, Chosen("kind:dataset"))[0].bad


def test_every_sign_of_a_node_has_its_word() -> None:
    """Whatever is up with it, in either set of signs."""
    for glyphs in (SIGNS, Glyphs(plain=True)):
        for state in ("recalled", "tainted", "failed", "stale", "gate", "cycle"):
            sign, word, _ = lineage_standing.mark((state, "failed"), glyphs)
            assert sign and word == STATES[state].word
