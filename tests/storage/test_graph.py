"""The lineage graph of a real ledger: what stands is seen and nothing else, answers stay right as events come, selections name what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from carnet_store.domain.selection import ALL, SelectionError
from carnet_store.errors import NotFound, Usage
from carnet_store.storage import arrays
from carnet_store.storage.graph import Graph
from carnet_store.storage.objects import Objects
from carnet_store.storage.project import Project

if TYPE_CHECKING:
    from tests.conftest import Replica, World

Open = Callable[["Replica"], Project]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Open a store's project for reading."""
    return lambda replica: Project(replica.ledger, Objects(tmp_path / "objects"), None, lambda: replica.world.now)  # type: ignore[arg-type]


def link(store: Replica, src: str, relation: str, dst: str) -> str:
    """Record an edge; return its change id."""
    return store.act(src, "edge.linked", {"relation": relation, "to": dst}, f"{relation}:{dst}")


class Small:
    """telco -> train -> churn@7 -> rollout, with code, a slice of the data, and a second run that led nowhere."""

    def __init__(self, store: Replica) -> None:
        self.store = store
        self.telco = store.declare("dataset", "telco", attrs={"source": "IBM", "tags": ["prod", "eu"]}, version="3")
        self.slice = store.declare("dataset", "telco eu")
        self.code = store.declare("code", "repo", attrs={"commit": "abc"})
        self.train = store.declare(
            "run", "train", params={"seed": "7"}, attrs={"status": "FINISHED", "experiment": "e1"}
        )
        self.idle = store.declare("run", "idle", params={"seed": "8"}, attrs={"status": "FAILED", "experiment": "e1"})
        self.model = store.declare("model", "churn", version="7")
        self.rollout = store.declare("deployment", "eu rollout")
        self.cut = link(store, self.slice, "from", self.telco)
        link(store, self.train, "used", self.slice)
        link(store, self.train, "used", self.code)
        link(store, self.idle, "used", self.slice)
        link(store, self.train, "made", self.model)
        link(store, self.rollout, "used", self.model)

    def names(self, graph: Graph, text: str) -> list[str]:
        """What a selection names, sorted."""
        return sorted(row.name for row in graph.rows(graph.select(text)))


@pytest.fixture
def small(world: World) -> Small:
    """A founded ledger with the small lineage."""
    return Small(world.found("ana", bob=["deployer"]))


def test_up_is_what_it_comes_from_and_down_what_came_of_it(small: Small, opened: Open) -> None:
    """R061 R071: `used` and `from` lead back, `made` leads forward; the same before and after the arrays are loaded."""
    project = opened(small.store)
    graph = project.graph
    before = [project.walk(small.model, up=up) for up in (True, False)]
    assert not graph.loaded
    assert before[0] == sorted(
        [(small.train, 1), (small.slice, 2), (small.code, 2), (small.telco, 3)], key=lambda one: (one[1], one[0])
    )
    assert before[1] == [(small.rollout, 1)]
    totals = graph.totals(small.train)
    assert graph.loaded
    assert (totals.ups, totals.downs) == (3, 2)
    assert list(totals.down) == ["deployment", "model"] and dict(totals.up) == {"dataset": 2, "code": 1}
    assert [project.walk(small.model, up=up) for up in (True, False)] == before
    near = project.neighbours(small.train)
    assert [(relation, row.name) for relation, row in near.up] == [("used", "repo"), ("used", "telco eu")]
    assert [(relation, row.name) for relation, row in near.down] == [("made", "churn")]
    assert (near.ups, near.downs) == (2, 1)
    assert project.walk("dataset:" + "0" * 32, up=True) == []
    with pytest.raises(NotFound):
        graph.totals("dataset:" + "0" * 32)


def test_an_edge_that_was_taken_back_is_in_no_answer(small: Small, opened: Open) -> None:
    """Retracting, erasing and folding anew: edges do not linger, neither in the tables nor in loaded arrays."""
    project, store = opened(small.store), small.store
    graph = project.graph
    assert graph.totals(small.model).ups == 4
    store.retract(small.slice, [small.cut], field=f"from:{small.telco}")
    assert graph.totals(small.model).ups == 3
    assert small.telco not in [found for found, _ in project.walk(small.model, up=True)]
    assert not graph.why(small.telco, small.model).paths
    again = link(store, small.slice, "from", small.telco)
    twice = link(store, small.slice, "from", small.telco)
    assert graph.totals(small.model).ups == 4
    store.retract(small.slice, [again], field=f"from:{small.telco}")
    assert graph.totals(small.model).ups == 4, "the second record of the same edge still stands"
    store.retract(small.slice, [twice], field=f"from:{small.telco}")
    assert graph.totals(small.model).ups == 3
    store.ledger.rebuild()
    assert graph.totals(small.model).ups == 3
    assert store.ledger.db.execute("SELECT count(*) FROM edge").fetchone()[0] == 5


def test_what_comes_is_put_in_between_and_equals_loading_anew(
    small: Small, opened: Open, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Own writes, another connection's and imported ones: arrays follow without reading everything again, and are the same as read anew."""
    project, store = opened(small.store), small.store
    place = str(project.path)
    graph = project.graph
    assert len(graph.arrays.everything()) == 7
    read = arrays._read
    monkeypatch.setattr(arrays, "_read", lambda *_: pytest.fail("it was read anew"))
    late = store.declare("run", "late")
    link(store, late, "used", small.model)
    link(store, small.model, "from", "dataset:" + "f" * 32)
    held = graph.arrays
    assert graph.totals(small.telco).downs == 6
    bob = world.replica("bob")
    bob.pull(store)
    bob.act(small.telco, "comment.added", {"text": "seen"})
    check = bob.declare("check", "parity")
    link(bob, check, "used", late)
    monkeypatch.setattr(arrays, "_read", read)
    store.pull(bob)
    assert graph.totals(small.telco).down["check"] == 1
    held = graph.arrays
    arrays.forget(place)
    fresh = Graph(project).arrays
    assert (held.up, held.down, held.kinds, held.times, held.known) == (
        fresh.up, fresh.down, fresh.kinds, fresh.times, fresh.known,
    )  # fmt: skip
    assert Graph(project).arrays is fresh, "a second reader of the same file shares what is loaded"


def test_terms_name_what_they_say(small: Small, opened: Open) -> None:
    """R061: kind, name, person, status, source, attributes, parameters, time, text, id; hops and sets around them."""
    project, store = opened(small.store), small.store
    store.import_from("run", "mlflow", "r1", "fetched")
    store.act(small.idle, "entity.described", {"value": "late"}, "team")
    graph = project.graph

    def names(text: str) -> list[str]:
        return small.names(graph, text)

    assert names("kind:run") == ["fetched", "idle", "train"]
    assert names("model:churn@7") == names("churn@7") == names("churn") == names(small.model) == ["churn"]
    assert names("telco") == ["telco"] and names("telco@3") == ["telco"]
    assert names("name:tel*") == names("dataset:tel*") == ["telco", "telco eu"]
    assert names("text:TELCO") == names("elco") == ["telco", "telco eu"]
    assert names(small.telco[:15]) == ["telco"], "the beginning of an id"
    assert names(f"dataset:{small.telco[8:14]}") == ["telco"]
    assert names("status:failed") == ["idle"] and names("status:fin*") == ["train"]
    assert names("source:mlflow") == ["fetched"] and names("source:MLflow") == ["fetched"]
    assert names("tag:prod") == ["telco"] and names("attr.source:ibm") == ["telco"]
    assert names("param.seed:7") == ["train"] and names("attr.team:late") == ["idle"]
    assert names("attr.experiment:e1,kind:run not status:failed") == ["train"]
    assert names("person:ana,kind:code") == ["repo"]
    assert names("since:1h,kind:model") == ["churn"] and names("since:2999-01-01") == []
    assert names("stage:research") == ["churn"]
    assert names("1+train+1") == ["churn", "repo", "telco eu", "train"]
    assert names("+churn") == ["churn", "repo", "telco", "telco eu", "train"]
    assert names("telco..churn") == names("churn..telco") == ["churn", "telco", "telco eu", "train"]
    assert names("train ^ idle") == ["idle", "repo", "train"]
    assert len(names("*")) == 8 and names("not kind:run,not kind:dataset") == ["churn", "eu rollout", "repo"]
    assert names("kind:drill") == []
    for wrong in ("nobody-has-this", "model:churn@8", "id:x", "2+gone"):
        with pytest.raises(NotFound) as caught:
            graph.select(wrong)
        assert "column" in caught.value.message
    with pytest.raises(NotFound, match="nobody in this project"):
        graph.select("person:zoe")
    with pytest.raises(SelectionError):
        graph.select("(")


def test_capitals_of_a_name_do_not_matter_where_nothing_is_called_just_so(small: Small, opened: Open) -> None:
    """Bare, of a kind, by `name:`; what is called just so goes before it, and letters beyond ASCII fold too."""
    graph = opened(small.store).graph
    for text in ("CHURN@7", "Churn", "model:CHURN@7", "model:Churn", "name:CHURN"):
        assert small.names(graph, text) == ["churn"], text
    assert small.names(graph, "TELCO") == ["telco"], "a name goes before a text within names"
    small.store.declare("dataset", "Telco")
    small.store.declare("dataset", "Größe")
    assert small.names(graph, "Telco") == small.names(graph, "name:Telco") == ["Telco"]
    assert small.names(graph, "TELCO") == small.names(graph, "name:TELCO") == ["Telco", "telco"]
    assert small.names(graph, "GRÖSSE") == small.names(graph, "name:größe") == ["Größe"]
    assert small.names(graph, "name:nothing") == []


def test_a_slip_is_offered_the_name_close_by(small: Small, opened: Open) -> None:
    """By name, by name and version, of the kind that was asked for; far from everything it is only told."""
    graph = opened(small.store).graph
    small.store.declare("model", "risk model", version="v1.1.0")
    for text, wanted in (
        ("chrun", "churn"), ("churn@8", "churn@7"), ("model:churm", "churn"), ("RISK-MODEL@v1.1.1", '"risk model@v1.1.0"'), ("dataset:telko", "telco"),
    ):  # fmt: skip
        with pytest.raises(NotFound) as caught:
            graph.select(f'"{text}"' if ":" not in text else text)
        assert caught.value.hint == f"did you mean {wanted}?", text
    for text in ("zzzzzzzz", "dataset:chrun", "id:chrun"):
        with pytest.raises(NotFound) as caught:
            graph.select(text)
        assert "carnet list" in caught.value.hint, text


def test_stages_are_those_at_which_somebody_stands(small: Small, opened: Open) -> None:
    """A version that crossed no gate stands at research."""
    assert opened(small.store).graph.stages() == ["research"]


def test_what_is_recalled_and_what_came_of_it_are_selections(small: Small, opened: Open) -> None:
    """A recall that stands is found, with everything it taints; what was kept before follows new events."""
    graph = opened(small.store).graph
    assert small.names(graph, "status:recalled") == small.names(graph, "status:tainted") == []
    small.store.act(small.slice, "recall.declared", {"reason": "rows were doubled"})
    assert small.names(graph, "status:recalled") == ["telco eu"]
    assert small.names(graph, "status:tainted,kind:deployment") == ["eu rollout"]
    assert small.names(graph, "status:tainted") == ["churn", "eu rollout", "idle", "train"]


def test_what_is_only_referred_to_is_a_node_that_says_so(small: Small, opened: Open) -> None:
    """An edge to a thing of another store: it is counted and found, and nothing is made up about it."""
    graph = opened(small.store).graph
    far, odd = "dataset:" + "e" * 32, "s3://bucket/x y"
    link(small.store, small.train, "used", far)
    small.store.act(small.train, "edge.linked", {"relation": "used", "to": odd}, "used:odd")
    assert {row.id for row in graph.rows(graph.select("status:undeclared"))} == {far, odd}
    assert graph.select(far) and graph.select(f'id:"{odd}"')
    assert graph.totals(small.model).up["other"] == 1
    assert {one.name for one in graph.nodes([graph.number(far)])} == {""}
    small.store.act("dataset:" + "d" * 32, "comment.added", {"text": "of nothing"})
    assert "dataset:" + "d" * 32 not in {row.id for row in graph.rows(graph.select("*"))}


def test_an_edge_of_a_relation_from_the_future_is_counted_and_left_out(small: Small, opened: Open) -> None:
    """What a newer release recorded is not silently skipped."""
    link(small.store, small.rollout, "replaced", small.telco)
    overview = opened(small.store).graph.overview()
    assert overview.strange == 1
    assert sum(count for _, _, count in overview.links) == 6


def test_two_teams_can_close_a_cycle_and_every_replica_names_the_same_edge(world: World, opened: Open) -> None:
    """Cycles come by merging; the edge that closes one is found by the order of change ids, not of arrival."""
    ana = world.found("ana", bob=["deployer"])
    ids = [ana.declare("dataset", f"d{at}") for at in range(4)]
    bob = world.replica("bob")
    bob.pull(ana)
    link(ana, ids[1], "from", ids[0])
    link(ana, ids[2], "from", ids[1])
    link(bob, ids[0], "from", ids[2])
    link(bob, ids[3], "from", ids[3])
    bob.pull(ana)
    ana.pull(bob)
    marked = []
    for store in (ana, bob):
        graph = opened(store).graph
        assert len(graph.back) == 2
        links = graph.links(graph.select("*"))
        marked.append({(one.src, one.dst) for one in links if one.back})
        assert graph.overview().back == 2
        assert graph.why(ids[0], ids[2]).paths and graph.why(ids[2], ids[0]).paths
        assert {row.id for row in graph.rows(graph.select(f"+{ids[0]}"))} == set(ids[:3])
        lines = graph.tree(ids[2])
        assert sum(line.back for line in lines) == 1
        assert [line.row.id for line in graph.forest(graph.select("*")) if line.depth == 0] == [ids[3], ids[2]]
        focus = graph.focus(ids[2], 2, 2)
        assert sum(one.back for one in focus.links) == 1
    assert marked[0] == marked[1] and (ids[3], ids[3]) in marked[0]


def test_why_names_paths_relations_and_what_all_pass(small: Small, opened: Open) -> None:
    """Ways in the order of the flow whichever is asked first; none where there is none."""
    graph = opened(small.store).graph
    found = graph.why(small.rollout, small.telco)
    assert found.turned and (found.first.name, found.last.name) == ("telco", "eu rollout")
    assert [[row.name for row in path] for path in found.paths] == [
        ["telco", "telco eu", "train", "churn", "eu rollout"]
    ]
    assert found.relations == (("from", "used", "made", "used"),)
    assert [row.name for row in found.choke] == ["telco eu", "train", "churn"]
    assert (found.between, found.total, found.complete) == (3, 1, True)
    nothing = graph.why(small.code, small.idle)
    assert not nothing.paths and nothing.between == 0 and not nothing.turned
    itself = graph.why(small.code, small.code)
    assert [[row.name for row in path] for path in itself.paths] == [["repo"]]


def test_overviews_collapse_by_any_property(small: Small, opened: Open) -> None:
    """Counts by kind, experiment, person, source, stage, attribute; of everything or of a selection."""
    small.store.import_from("run", "mlflow", "r1", "fetched")
    graph = opened(small.store).graph
    whole = graph.overview()
    assert dict(whole.groups) == {"dataset": 2, "run": 3, "code": 1, "model": 1, "deployment": 1}
    assert set(whole.links) == {
        ("dataset", "run", 2), ("dataset", "dataset", 1), ("code", "run", 1), ("run", "model", 1), ("model", "deployment", 1),
    }  # fmt: skip
    assert whole.components == (7, 1)
    assert dict(graph.overview("experiment").groups) == {"e1": 2, "": 6}
    assert dict(graph.overview("source").groups) == {"mlflow": 1, "": 7}
    assert dict(graph.overview("person").groups) == {"Ana": 8}
    assert dict(graph.overview("stage").groups)["research"] == 1
    assert dict(graph.overview("param.seed").groups) == {"7": 1, "8": 1, "": 6}
    some = graph.overview("kind", graph.select("train ^ idle"))
    assert dict(some.groups) == {"run": 2, "code": 1} and some.links == (("code", "run", 1),)
    assert some.components == (2, 1)
    assert graph.overview("kind", []).groups == ()
    with pytest.raises(Usage, match="no overview by"):
        graph.overview("colour")


def test_a_focus_folds_siblings_and_counts_them(world: World, opened: Open) -> None:
    """R043: a few of each kind are shown, the newest; what is folded is counted by kind; what is kept is shown."""
    ana = world.found("ana")
    hub = ana.declare("dataset", "hub")
    runs = [ana.declare("run", f"r{at}") for at in range(15)]
    checks = [ana.declare("check", f"c{at}") for at in range(3)]
    for one in (*runs, *checks):
        link(ana, one, "used", hub)
    graph = opened(ana).graph
    found = graph.focus(hub, fan=5)
    assert [(one.row.name, one.hops) for one in found.nodes][:2] == [("hub", 0), ("c2", 1)]
    assert {one.row.name for one in found.nodes} == {"hub", "c0", "c1", "c2", *(f"r{at}" for at in range(10, 15))}
    assert [(one.parent, one.side, one.kind, one.count) for one in found.folds] == [(hub, "down", "run", 10)]
    assert found.hidden(hub, "down") == 10 and found.hidden(hub, "up") == 0
    assert len(found.links) == 8 and not any(one.back for one in found.links)
    kept = graph.focus(hub, fan=5, keep=[runs[0], "run:unheard of"])
    assert runs[0] in {one.row.id for one in kept.nodes} and kept.hidden(hub, "down") == 9
    few = graph.focus(hub, fan=20, limit=6)
    assert len(few.nodes) == 6 and few.hidden(hub, "down") == 13
    assert graph.focus(hub, 1, 0).nodes == (found.nodes[0],)
    assert graph.focus(runs[0], 1, 1).links == tuple(one for one in graph.links(graph.select(f"1+{runs[0]}")))
    with pytest.raises(NotFound):
        graph.focus("dataset:" + "0" * 32)


def test_runs_are_left_out_as_a_set_leaves_them_out(small: Small, opened: Open) -> None:
    """LINEAGE 4.1: artifact to artifact, each edge by the run between; a run that made nothing is gone as the others are."""
    graph = opened(small.store).graph
    found = graph.focus(small.slice, 1, 3, without="run")
    assert {one.row.name for one in found.nodes} == {"telco eu", "telco", "churn", "eu rollout"}
    assert {(one.first, one.last, one.via) for one in found.links} == {
        (small.telco, small.slice, ""), (small.slice, small.model, small.train), (small.model, small.rollout, ""),
    }  # fmt: skip
    assert found.folds == () and [row.name for row in found.via] == ["train"]
    centred = graph.focus(small.train, 1, 1, without="run")
    assert {one.row.id for one in centred.nodes} == {one.row.id for one in graph.focus(small.train, 1, 1).nodes}
    part = graph.focus(small.model, 2, 0, limit=2, without="run")
    assert len(part.nodes) == 2 and [(one.parent, one.side, one.count) for one in part.folds] == [
        (small.model, "up", 1)
    ]
    few = graph.focus(small.model, 2, 0, fan=0, without="run")
    assert {(one.kind, one.count) for one in few.folds} == {("code", 1), ("dataset", 1)}
    assert graph.focus(small.model, 2, 0, fan=0, keep=[small.code], without="run").hidden(small.model, "up") == 1


def test_the_tree_without_runs_ties_what_they_joined(small: Small, opened: Open) -> None:
    """What stands under a node came into, or out of, a run with it; the run is named, and two runs between the same two are one line."""
    again = small.store.declare("run", "again")
    link(small.store, again, "used", small.slice)
    link(small.store, again, "made", small.model)
    graph = opened(small.store).graph
    lines = graph.tree(small.model, hops=3, without="run")
    assert [(one.row.name, one.depth, one.relation, {row.name for row in one.via}) for one in lines] == [
        ("churn", 0, "", set()), ("telco eu", 1, "from", {"train", "again"}), ("telco", 2, "from", set()), ("repo", 1, "from", {"train"}),
    ]  # fmt: skip
    assert [one.row.name for one in graph.tree(small.model, hops=2, without="run")] == ["churn", "telco eu", "repo"]
    down = graph.tree(small.telco, up=False, without="run")
    assert [(one.row.name, one.depth) for one in down] == [
        ("telco", 0),
        ("telco eu", 1),
        ("churn", 2),
        ("eu rollout", 3),
    ]
    assert down[2].seen == -1 and {row.name for row in down[2].via} == {"train", "again"}
    assert sum(one.more for one in graph.tree(small.model, limit=2, without="run")) == 2  # code, and the whole data


def test_runs_in_a_row_and_in_a_ring_are_stepped_over(world: World, opened: Open) -> None:
    """A run from a run: the one next to what came of them is named; a ring of runs ends, and what closes a cycle is marked."""
    ana = world.found("ana")
    data, out = ana.declare("dataset", "data"), ana.declare("model", "out")
    first, last = ana.declare("run", "first"), ana.declare("run", "last")
    link(ana, first, "used", data)
    link(ana, last, "from", first)
    link(ana, last, "made", out)
    graph = opened(ana).graph
    for entity, up in ((out, True), (data, False)):
        (_, line) = graph.tree(entity, up=up, without="run")
        assert [row.name for row in line.via] == ["last"] and not line.back
    link(ana, first, "from", last)
    link(ana, first, "used", out)
    graph = opened(ana).graph
    assert {one.row.name for one in graph.focus(data, 3, 3, without="run").nodes} == {"data", "out"}
    assert [(one.row.name, [row.name for row in one.via]) for one in graph.tree(data, up=False, without="run")] == [
        ("data", []), ("out", ["last"]),
    ]  # fmt: skip


def test_a_hub_of_thousands_is_not_read_whole(world: World, opened: Open) -> None:
    """Three thousand consumers: the newest are shown, all are counted, by kind once the arrays are at hand."""
    ana = world.found("ana")
    hub = ana.declare("environment", "image")
    salts = iter(range(10_000))
    for _ in range(4):
        drafts = [
            ana.draft("run:" + f"{next(salts):032x}", "edge.linked", {"relation": "used", "to": hub}, f"used:{hub}")
            for _ in range(800)
        ]
        ana.write(*drafts)
    graph = opened(ana).graph
    found = graph.focus(hub, fan=5)
    assert len(found.nodes) == 6
    assert [(one.kind, one.count) for one in found.folds] == [("", 3195)]
    assert graph.totals(hub).down == {"run": 3200}
    assert [(one.kind, one.count) for one in graph.focus(hub, fan=5).folds] == [("run", 3195)]
    near = graph.project.neighbours(hub, limit=50)
    assert (len(near.down), near.downs) == (50, 3200)


def test_two_nodes_are_compared_with_all_they_come_from(small: Small, opened: Open) -> None:
    """A run against a run, a model against the one it was made from; other kinds are refused."""
    store = small.store
    graph = opened(store).graph
    found = graph.diff(small.train, small.idle)
    assert (found.same, found.changed, found.left_only, found.right_only) == (2, 0, 1, 0)
    assert [(one.name, one.left, one.right) for one in found.root.differences] == [
        ("seed", "7", "8"),
        ("status", "FINISHED", "FAILED"),
    ]
    assert [(one.thing.title, one.role) for one in found.gone] == [("repo", "input of train")]
    tuned = store.declare("model", "churn", version="8")
    link(store, tuned, "from", small.model)
    after = graph.diff(small.model, tuned)
    assert (after.same, after.left_only, after.right_only) == (4, 0, 0)
    with pytest.raises(Usage, match="one kind"):
        graph.diff(small.model, small.train)
    with pytest.raises(NotFound):
        graph.diff(small.model, "model:" + "0" * 32)


def test_reach_counts_hops_both_ways_and_none(small: Small, opened: Open) -> None:
    """Zero hops is the set itself; ALL is everything; several starts are taken together."""
    graph = opened(small.store).graph
    train, idle = graph.number(small.train), graph.number(small.idle)
    assert graph.reach([train], 0, 0) == {train}
    assert len(graph.reach([train], ALL, ALL)) == 6
    assert graph.reach([train, idle], 0, 1) == {train, idle, graph.number(small.model)}
    assert graph.levels([], up=True) == [[]]


def test_a_selection_reads_an_attribute_as_the_node_shows_it(world: World, opened: Open) -> None:
    """What settles a conflict, and which reading of a source is the later, are the same for a term and for the node."""
    ana = world.found("ana", bob=["researcher"])
    bob = world.replica("bob")
    bob.pull(ana)
    data = ana.declare("dataset", "telco")
    bob.pull(ana)
    run = ana.import_from("run", "mlflow", "r", "r")
    source = {"name": "r", "source": ["mlflow", "r"]}
    ana.act(run, "entity.declared", {**source, "attrs": {"status": "finished", "ended": 9}})
    bob.act(run, "entity.declared", {**source, "attrs": {"status": "running"}, "at": 5})
    sides = [one.act(data, "entity.described", {"value": one.name}, "owner") for one in (ana, bob)]
    bob.pull(ana)
    settled = bob.act(data, "entity.described", {"value": "cleo"}, "owner", sorted(sides))
    late = bob.act(data, "entity.described", {"value": "dora"}, "licence")
    ana.pull(bob)
    assert settled != late
    for store in (ana, bob):
        project = opened(store)
        for text, found in (("attr.owner:cleo", [data]), ("attr.owner:bob", []), ("attr.status:finished", [run])):
            assert [row.id for row in project.graph.rows(project.graph.select(text))] == found, text
        assert project.node(data).attrs["owner"] == "cleo" and project.node(run).attrs["status"] == "finished"  # type: ignore[union-attr]
        assert project.said_apart() == []
