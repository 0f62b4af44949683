"""Taking in what other tools recorded: a plan shows what would be added, and exactly that is written, once."""

from __future__ import annotations

import shutil
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from carnet_store import Desk, Invalid, Project
from carnet_store.exchange import capturing
from carnet_store.exchange.importers import guesses
from carnet_store.exchange.importers.things import Keep, Ref, Source, Thing, Unread, metric, number_text
from carnet_store.storage.fact_acts import merged
from carnet_store.work.identity import Keyring

Things = list[Thing | Unread]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[tuple[Desk, Project]]:
    """Ana's desk with a project of hers."""
    keyring = Keyring(tmp_path / "keys")
    ana = keyring.new("Ana Ruiz", "ana@example.org")
    with Desk.with_keyring(tmp_path / "work", keyring, ana) as found:
        project, _ = found.found("churn")
        yield found, project


@pytest.fixture
def take(desk: tuple[Desk, Project], monkeypatch: pytest.MonkeyPatch) -> Callable[..., capturing.CapturePlan]:
    """Plan what a source of these things would add; with `write` write it."""

    def run(things: Things, *, write: bool = True) -> capturing.CapturePlan:
        def read(source: Source) -> Iterator[Thing | Unread]:
            yield from things

        monkeypatch.setattr(
            capturing, "importer", lambda kind: types.SimpleNamespace(read=read, guess=lambda path: None)
        )
        with desk[0].capture_plan(desk[1], [("mlflow", Source(Path("x")))]) as made:
            if write:
                desk[0].capture(desk[1], made)
        return made

    return run


def run_of(number: int, **more: Any) -> Thing:
    """A run of a source with an input and a history."""
    data = Ref("dataset", "mlflow", "telco:1")
    keep = [Keep("history", "metrics.jsonl", b'{"name":"auc","step":0,"value":"0.5"}\n' * (number % 3 + 1))]
    return Thing(
        Ref("run", "mlflow", f"{number:032x}"), f"r-{number:03}", params={"lr": "0.1"}, metrics=[metric("auc", 0.84)],
        at=1_700_000_000_000 + number, edges=[("used", data)], keep=keep, **more,
    )  # fmt: skip


DATA = Thing(Ref("dataset", "mlflow", "telco:1"), "telco", attrs={"reference": {"mlflow": "1"}})


def test_what_was_planned_is_written_once(desk: tuple[Desk, Project], take: Callable[..., Any]) -> None:
    """R096: a source read twice adds nothing; ids, times, parameters and files of the source are kept."""
    project = desk[1]
    things: Things = [DATA, *(run_of(n) for n in range(5))]
    before = project.ledger.count()
    made = take(things, write=False)
    assert (made.count("new"), made.edges, made.objects) == (6, 5, 5)
    assert project.ledger.count() == before, "a plan writes nothing"
    assert not list(project.objects.all())
    take(things)
    run = project.node(run_of(3).ref.entity)
    assert run is not None
    assert (run.name, run.params, run.t, run.source) == (
        "r-003",
        {"lr": "0.1"},
        1_700_000_000_003,
        ("mlflow", f"{3:032x}"),
    )
    assert [edge.dst for edge in run.edges] == [DATA.ref.entity]
    assert project.objects.get(run.attrs["history"]["sha256"]).startswith(b'{"name":"auc"')
    events = project.ledger.count()
    again = take(things)
    assert again.nothing_new and again.count("known") == 6
    assert project.ledger.count() == events
    assert not project.ledger.verify()


def test_what_changed_at_the_source_is_said_over_the_old(desk: tuple[Desk, Project], take: Callable[..., Any]) -> None:
    """A run that went on since is one run with its newest state; its old state stays in the history."""
    take([run_of(1, attrs={"status": "running"})])
    made = take([run_of(1, attrs={"status": "finished"}), run_of(2)])
    assert (made.count("changed"), made.count("new")) == (1, 1)
    node = desk[1].node(run_of(1).ref.entity)
    assert node is not None and node.attrs["status"] == "finished" and not node.conflicts
    assert len([c for c in desk[1].changes(node.id) if c.kind == "entity.declared"]) == 2


def test_two_persons_who_took_in_different_states(world: Any) -> None:
    """What two teams took in of one run at different times stays, both; the later reading is shown (R003, C175)."""
    from carnet_store.domain.lineage import read_node
    from carnet_store.storage.fact_acts import sourced

    ana = world.found("ana", bob=("researcher",))
    bob = world.replica("bob")
    bob.pull(ana)
    for replica, attrs, params in (
        (ana, {"status": "running", "owner": "Ana"}, {"lr": "0.1"}),
        (bob, {"status": "finished", "owner": "Bo"}, {"lr": "0.1", "seed": "7"}),
    ):
        fact = sourced("run", "mlflow", "a" * 32, name="r-1", attrs=attrs, params=params)
        replica.act(fact.entity, "entity.declared", dict(fact.value))
    world.meet(ana, bob)
    entity = sourced("run", "mlflow", "a" * 32, name="r-1").entity
    nodes = [read_node(entity, replica.ledger.projection.changes(entity)) for replica in (ana, bob)]
    assert nodes[0] == nodes[1] and nodes[0] is not None
    assert nodes[0].params == {"lr": "0.1", "seed": "7"} and nodes[0].attrs["status"] == "finished"
    assert nodes[0].conflicts == () and nodes[0].attrs["owner"] == "Bo", (
        "the later reading is shown; nobody has to settle it"
    )


def test_what_cannot_stand_in_a_ledger_is_named(take: Callable[..., Any]) -> None:
    """Nothing is skipped silently: what could not be read is counted with its place, all else is taken."""
    twice = run_of(1, attrs={"status": "a"})
    made = take([
        Unread("runs.db, run 7", "its times are no numbers"),
        run_of(1, attrs={"status": "b"}, where="runs.db, run 1"), twice,
        Thing(Ref("run", "mlflow", "big"), "big", metrics=[metric(f"m{n}", "1" * 60) for n in range(8000)], where="run big"),
        run_of(2),
    ])  # fmt: skip
    assert made.unread_count == 3
    assert [one.where for one in made.unread] == ["runs.db, run 7", "r-001", "run big"]
    assert made.count("new") == 2


def test_names_and_long_texts_of_the_source_come_back(desk: tuple[Desk, Project], take: Callable[..., Any]) -> None:
    """A parameter may be called Größe and be 6,000 characters long; a number keeps its shortest text."""
    long = "x" * 6000
    thing = Thing(
        Ref("run", "mlflow", "1"), "[red]x[/red]", params={"Größe": "5", "long": long},
        metrics=[metric("loss", float("nan")), metric("r2", float("-inf")), metric("lr", 1e-05)],
        attrs={"é": {"ü": 1.5}, "big": ["y" * 100] * 400},
    )  # fmt: skip
    take([thing])
    node = desk[1].node(thing.ref.entity)
    assert node is not None
    assert node.params["Größe"] == "5" and node.attrs["é"] == {"%C3%BC": "1.5"}
    assert node.params["long"].endswith("… (6,000 characters)")
    assert desk[1].objects.get(node.attrs["long_params"]["long"]["sha256"]).decode() == long
    assert desk[1].objects.size(node.attrs["big"]["sha256"]) > 40_000
    assert [m.value for m in node.metrics] == ["NaN", "-Infinity", "1e-05"]
    assert number_text(0.1 + 0.2) == "0.30000000000000004" and number_text(3) == "3"


def test_ten_thousand_runs_are_a_few_events(desk: tuple[Desk, Project], take: Callable[..., Any]) -> None:
    """Machine-made facts come as batches: one signature for up to a thousand changes, each line within its bound."""
    before = desk[1].ledger.count()
    take([DATA, *(run_of(n) for n in range(3000))])
    assert desk[1].ledger.count() - before == 7
    assert desk[1].count("run") == 3000


def test_all_or_nothing(desk: tuple[Desk, Project], take: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that fails in the middle leaves the record as it was."""
    project = desk[1]
    events = project.ledger.count()
    acts = type(desk[0].acts(project))
    real = acts._drafts
    seen: list[str] = []

    def fails(self: Any, fact: Any) -> Any:
        seen.append(fact.entity)
        if len(seen) > 1500:
            raise Invalid("the disk is full")
        return real(self, fact)

    monkeypatch.setattr(acts, "_drafts", fails)
    with pytest.raises(Invalid, match="disk is full"):
        take([run_of(n) for n in range(2000)])
    monkeypatch.undo()
    assert project.ledger.count() == events and project.count("run") == 0
    assert not project.ledger.verify()


def test_a_stranger_takes_nothing_in(desk: tuple[Desk, Project], take: Callable[..., Any]) -> None:
    from carnet_store import Refused

    desk[0].become(desk[0].keyring.new("Eve", "eve@example.org"))
    with pytest.raises(Refused, match="not a member"):
        take([run_of(1)])


def test_addresses_of_another_machine_are_found_by_map(tmp_path: Path) -> None:
    """FORMATS.md 1.6: absolute paths of the maker's machine, file URIs in every spelling, other systems' addresses."""
    (tmp_path / "data").mkdir()
    here = tmp_path / "data" / "a b.csv"
    here.write_text("1")
    source = Source(tmp_path, [("/home/ana/", str(tmp_path)), ("s3://bucket", str(tmp_path / "data"))])
    for text in ("data/a b.csv", str(here), f"file://{tmp_path}/data/a%20b.csv", "file:data/a%20b.csv", "/home/ana/data/a b.csv",
                 "file:///home/ana/data/a%20b.csv", "s3://bucket/a%20b.csv"):  # fmt: skip
        assert source.find(text) == here, text
    for text in (
        "s3://other/a.csv",
        "file:///C:/data/a.csv",
        "/nowhere/a.csv",
        "C:\\data\\a.csv",
        "x" * 5000,
        "\0",
        "https://[",
        "/home/anabel/data/a b.csv",
    ):
        assert source.find(text) is None, text
    assert source.sha256(here)[1] == 1
    with pytest.raises(Invalid):
        source.sha256(tmp_path)


def test_what_is_only_mentioned_is_never_said_over_what_is_known(
    desk: tuple[Desk, Project], take: Callable[..., Any]
) -> None:
    """A tracker knows a commit's number; git knows the commit: the first never replaces the second, in whatever order they are read."""
    commit = Ref("code", "git", "c" * 40)
    bare = Thing(commit, "cccccccccccc", attrs={"commit": "c" * 40})
    run = run_of(1)
    run.edges.append(("used", commit))
    made = take([run, bare, bare])
    assert made.counts["code", "new"] == 1
    node = desk[1].node(commit.entity)
    assert node is not None and node.name == "cccccccccccc"
    desk[0].acts(desk[1]).describe(commit.entity, "branch", "main")
    later = take([bare, Thing(commit, "other", attrs={"commit": "c" * 40, "subject": "x"}), run_of(2)])
    assert (later.count("changed"), later.counts["code", "new"]) == (0, 0)
    assert desk[1].node(commit.entity).name == "cccccccccccc"  # type: ignore[union-attr]


def test_the_newest_run_is_one_that_was_not_deleted(take: Callable[..., Any]) -> None:
    """What one is led to afterwards is not what somebody threw away."""
    thrown = run_of(9, attrs={"lifecycle": "deleted"})
    assert take([run_of(1), thrown], write=False).newest[1] == "r-001"


def test_what_is_out_of_reach_and_maps_that_fit_nothing_are_told(real_tools: Path, tmp_path: Path) -> None:
    """Of things without their files the number, of each map that is of no use why."""
    shutil.copy(real_tools / "mlflow-sqlite" / "mlflow.db", tmp_path)
    maps = [("/tmp/ana-lab/mlruns", str(tmp_path / "gone")), ("/nothing/begins/so", str(tmp_path))]
    with capturing.plan(None, [("mlflow", Source(tmp_path, maps))]) as made:
        assert made.unreachable > 1
        assert [(one.where.split("=")[0], one.why.split()[0]) for one in made.unread] == [
            ("--map /tmp/ana-lab/mlruns", "there"), ("--map /nothing/begins/so", "no"),
        ]  # fmt: skip


def test_one_source_that_cannot_be_read_takes_no_other_with_it(tmp_path: Path) -> None:
    """A damaged database beside a lock file: it is named, the lock file is taken; alone it is refused."""
    (tmp_path / "mlflow.db").write_bytes(b"SQLite format 3\0garbage")
    (tmp_path / "requirements.txt").write_text("a==1\n")
    kinds = [one.kind for one in guesses(tmp_path)]
    assert kinds == ["mlflow", "environment"]
    with capturing.plan(None, [(kind, Source(tmp_path)) for kind in kinds]) as made:
        assert made.count("new") == 1
        (lost,) = made.unread
        assert lost.where == f"mlflow {tmp_path}" and "cannot be read" in lost.why
    with pytest.raises(Invalid, match="cannot be read"):
        capturing.plan(None, [("mlflow", Source(tmp_path))])


def test_every_importer_says_which_systems_are_its_own() -> None:
    from carnet_store.exchange.importers import IMPORTERS, OWN

    assert set(OWN) == set(IMPORTERS)


def test_a_poorer_reading_takes_nothing_away(desk: tuple[Desk, Project], take: Callable[..., Any]) -> None:
    """The files are not beside the copy: digests, kept files and what was told stand; tags that were taken off go; then nothing is new."""
    ref = Ref("dataset", "mlflow", "telco:1")
    rich = Thing(
        ref,
        "telco",
        attrs={"rows": 7043, "tags": ["eu"], "unreachable": "x"},
        digests={"sha256": "a" * 64},
        params={"a": "1"},
    )
    poor = Thing(ref, "telco", attrs={"owner": "Farid"}, params={"b": "2"})
    take([rich])
    assert take([poor]).count("changed") == 1
    node = desk[1].node(ref.entity)
    assert node is not None and not node.conflicts
    assert (node.attrs, node.digests, node.params) == (
        {"rows": 7043, "owner": "Farid"},
        {"sha256": "a" * 64},
        {"a": "1", "b": "2"},
    )
    assert take([poor]).nothing_new
    assert take([rich]).count("changed") == 1  # its tags are back
    assert take([poor]).count("changed") == 1


def test_other_bytes_under_the_same_id_are_told_and_change_no_digest(
    desk: tuple[Desk, Project], take: Callable[..., Any]
) -> None:
    """A digest says what a thing is: the file of today is another one."""
    ref = Ref("dataset", "mlflow", "telco:1")
    take([Thing(ref, "telco", digests={"sha256": "a" * 64})])
    made = take([Thing(ref, "telco", digests={"sha256": "b" * 64, "md5": "c" * 32}, where="telco.csv")])
    assert [(one.where, one.why) for one in made.unread] == [
        ("telco.csv", f"its bytes are not those that were recorded: sha256 {'a' * 12}, now {'b' * 12}; the record keeps the first")
    ]  # fmt: skip
    node = desk[1].node(ref.entity)
    assert node is not None and node.digests == {"sha256": "a" * 64, "md5": "c" * 32}


@pytest.mark.parametrize(("system", "status", "ended"), [("openlineage", "finished", 2), ("mlflow", "RUNNING", None)])
def test_an_end_that_was_told_stands(system: str, status: str, ended: int | None) -> None:
    """OpenLineage: the first part of a log read once more makes no run go on; MLflow: a run that was resumed goes on."""

    def said(**attrs: Any) -> dict[str, Any]:
        return {"name": "r", "source": [system, "r"], "attrs": {"started": 1, **attrs}}

    value, apart = merged(said(status="finished", ended=2), said(status="RUNNING"))
    assert (value["attrs"]["status"], value["attrs"].get("ended"), apart) == (status, ended, [])
    assert merged(said(status="RUNNING"), said(status="finished", ended=2))[0]["attrs"]["ended"] == 2


def test_secrets_are_left_out_before_anything_is_signed(desk: tuple[Desk, Project], take: Callable[..., Any]) -> None:
    """Known shapes in names, parameters, attributes; files that hold one are not kept, their digest is. Each is named in the plan."""
    token = "ghp_" + "a1B2" * 9
    thing = Thing(
        Ref("run", "mlflow", "r"), "r", params={"hub": token, "lr": "0.1"}, attrs={"tags": {"note": [f"use {token}"]}}, where="run r",
        keep=[Keep("patch", "x.patch", f"+a\n+key = '{token}'\n".encode()), Keep("plain", "y.txt", b"fine")],
    )  # fmt: skip
    made = take([thing])
    assert [one.why for one in made.unread] == [
        "parameter hub was left out: it holds what looks like a GitHub token",
        "attribute tags, note was left out: it holds what looks like a GitHub token",
        "x.patch (line 2) was left out: it holds what looks like a GitHub token",
    ]
    node = desk[1].node(Ref("run", "mlflow", "r").entity)
    assert node is not None and node.params == {"hub": "<redacted>", "lr": "0.1"}
    assert node.attrs["tags"] == {"note": ["use <redacted>"]} and "sha256" in node.attrs["patch"]["digests"]
    held = b"".join(path.read_bytes() for path in desk[1].objects.root.rglob("*") if path.is_file())
    assert token.encode() not in held and b"fine" in held


def test_values_beside_telling_names_are_left_out_too(desk: tuple[Desk, Project], take: Callable[..., Any]) -> None:
    """A password in a notebook's cell or a parameter, a random value under a telling name, a token in an id: none is signed."""
    token, random = "ghp_" + "a1B2" * 9, "q8Zt5Lw2Xc9Vb4Nm7Kj1"
    cell = b'{"source": ["password = \\"hunter2hunter\\""]}'
    thing = Thing(
        Ref("run", "mlflow", "r"), "r", where=f"runs/{token}", params={"db.password": "correct horse", f"p {token}": "1", "max_tokens": "1024"},
        attrs={"tags": {"auth_token": random, "note": "plain"}, "packages": {"detect-secrets": "1.5.0rc1post20240101"}, "key": "a1b2" * 10},
        keep=[Keep("notebook", "n.ipynb", cell), Keep("named", f"{token}.txt", b"fine")],
    )  # fmt: skip
    made = take([thing, Thing(Ref("dataset", "mlflow", f"s3://b/{token}"), "data")])
    assert [(one.where, one.why) for one in made.unread] == [
        ("runs/<redacted>", "parameter db.password was left out: it holds a value of db.password that looks secret"),
        ("runs/<redacted>", "a name in parameter was left out: it holds what looks like a GitHub token"),
        (
            "runs/<redacted>",
            "attribute tags, auth_token was left out: it holds a value of auth_token that looks secret",
        ),
        ("runs/<redacted>", "n.ipynb (line 1) was left out: it holds a value of password that looks secret"),
        ("runs/<redacted>", "<redacted>.txt was left out: it holds what looks like a GitHub token"),
        ("s3://b/<redacted>", "it was left out: its id holds what looks like a GitHub token"),
    ]
    node = desk[1].node(Ref("run", "mlflow", "r").entity)
    assert node is not None
    assert node.params == {"db.password": "<redacted>", "p <redacted>": "1", "max_tokens": "1024"}
    assert node.attrs["tags"] == {"auth_token": "<redacted>", "note": "plain"}
    assert node.attrs["packages"] == {"detect-secrets": "1.5.0rc1post20240101"} and node.attrs["key"] == "a1b2" * 10
    held = b"".join(path.read_bytes() for path in desk[1].path.parents[1].rglob("*") if path.is_file())
    assert not [one for one in (token, "hunter2hunter", "correct horse") if one.encode() in held]
