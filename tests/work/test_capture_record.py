"""A captured run in the record: one event, things that meet, and runs that wait for a project."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from carnet_store import Acts, Desk, Invalid, NotFound
from carnet_store.exchange import references
from carnet_store.storage.fact_acts import sourced
from carnet_store.work import capture_record
from carnet_store.work.capture import Captured, Kept, Thing, new_key
from carnet_store.work.capture_record import keep_aside, kept_aside, load_aside, record


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def kept(name: str, path: str, text: str) -> Kept:
    return Kept(name, path, sha(text), len(text), text.encode())


def file(kind: str, name: str, text: str, relation: str, version: str = "") -> Thing:
    return Thing(kind, ("file", sha(text)), name, version, {"path": name, "size": len(text)}, {"sha256": sha(text)}, relation,
                 keep=[kept("file", name, text)] if relation == "made" else [])  # fmt: skip


def run(name: str = "r-1", *things: Thing, **fields: Any) -> Captured:
    attrs = {
        "argv": ["python", "train.py", "--name", "a b"],
        "cwd": ".",
        "status": "finished",
        "exit_code": 0,
        "seconds": "1.500",
    }
    return Captured(
        new_key(),
        name,
        1_776_157_200_000,
        0,
        "finished",
        attrs | fields.pop("attrs", {}),
        things=list(things),
        **fields,
    )


@pytest.fixture
def acts(tmp_path: Path) -> Iterator[Acts]:
    """A founder at a project of her own."""
    with Desk.create(tmp_path / "work", environ={"CARNET_CONFIG": str(tmp_path / "keys")}) as desk:
        project, _ = desk.found("churn")
        yield desk.acts(project)


def test_a_run_is_one_event_with_everything_beside_it(acts: Acts) -> None:
    """R012, R036, R037: the run, its data, code, environment and model; parameters and metrics in it."""
    before = acts.project.ledger.count()
    commit = Thing("code", ("git", "c" * 40), "src", "c" * 12, {"commit": "c" * 40})
    changed = Thing("code", ("git", f"{'c' * 40}+{sha('p')}"), "src", "c+p", {"commit": "c" * 40, "dirty": True}, relation="used",
                    origin=("code", "git", "c" * 40), keep=[kept("patch", "changes.patch", "p")])  # fmt: skip
    place = Thing(
        "environment",
        ("packages", sha("e")),
        "cpython",
        sha("e")[:12],
        {"packages": {"numpy": "2.0"}},
        {"sha256": sha("e")},
        "used",
    )
    written = record(
        acts,
        run("r-1", commit, changed, place, file("dataset", "telco.csv", "d", "used"), file("model", "churn", "m", "made", "3"),
            params={"lr": "0.1"}, metrics=[{"name": "auc", "value": "0.8", "split": "val"}], redacted=2, hash_ms=7,
            keep=[kept("metrics_history", "metrics.jsonl", "h")]),
    )  # fmt: skip
    assert acts.project.ledger.count() == before + 1
    assert written.sentence == "recorded run r-1"
    node = acts.project.node(written.entity)
    assert node is not None
    assert node.params == {"lr": "0.1"}
    assert [(m.name, m.value, m.split) for m in node.metrics] == [("auc", "0.8", "val")]
    assert node.attrs["command"] == "python train.py --name 'a b'"
    assert (node.attrs["redacted"], node.attrs["hash_ms"]) == (2, 7)
    assert node.attrs["metrics_history"] == {"path": "metrics.jsonl", "sha256": sha("h"), "size": 1}
    assert node.t == 1_776_157_200_000
    near = acts.project.neighbours(written.entity)
    assert sorted((relation, row.title) for relation, row in near.up) == [
        ("used", f"cpython@{sha('e')[:12]}"), ("used", "src@c+p"), ("used", "telco.csv"),
    ]  # fmt: skip
    assert [(relation, row.title) for relation, row in near.down] == [("made", "churn@3")]
    (code,) = [row for _, row in near.up if row.kind == "code"]
    assert [row.title for _, row in acts.project.neighbours(code.id).up] == [f"src@{'c' * 12}"]
    for text in ("h", "p", "m"):
        assert acts.project.objects.get(sha(text)) == text.encode()


def test_every_object_that_is_referred_to_is_held(acts: Acts) -> None:
    """A bundle asks for what an event names firmly: digests of files that were not kept must not look like that."""
    data = file("dataset", "telco.csv", "d", "used")
    record(
        acts,
        run(
            "r",
            data,
            file("model", "m.pkl", "m", "made"),
            attrs={"inputs": [{"path": "telco.csv", "digests": {"sha256": sha("d")}}]},
        ),
    )
    found = references.References()
    for head in acts.project.ledger.heads():
        for line in acts.project.ledger.lines(head.no, head.start, head.seq):
            found.note(line)
    assert sha("d") in found.loose
    assert sha("m") in found.firm
    assert all(acts.project.objects.has(digest) for digest in found.firm)


def test_the_same_bytes_are_one_thing(acts: Acts) -> None:
    """What one run made another uses, whatever it is called; what a person declared before is that."""
    acts.declare("dataset", "telco", digests={"sha256": sha("d")}, attrs={"owner": "Farid"})
    first = record(
        acts, run("r-1", file("dataset", "data/telco.csv", "d", "used"), file("model", "m.pkl", "m", "made"))
    )
    second = record(
        acts, run("r-2", file("dataset", "copy.csv", "d", "used"), file("model", "renamed.pkl", "m", "used"))
    )
    assert acts.project.count("dataset") == 1
    assert acts.project.count("model") == 1
    (model,) = [row for _, row in acts.project.neighbours(second.entity).up if row.kind == "model"]
    assert [row.id for _, row in acts.project.neighbours(model.id).up] == [first.entity]
    data = [row.title for _, row in acts.project.neighbours(first.entity).up if row.kind == "dataset"]
    assert data == ["telco"]


def test_the_same_bytes_are_one_thing_however_old(acts: Acts) -> None:
    """What somebody declared years and hundreds of datasets ago is found by its digest."""
    old = acts.declare("dataset", "telco", digests={"sha256": sha("d")})
    acts.record(
        (sourced("dataset", "test", str(n), name=f"other {n}", digests={"sha256": sha(f"o{n}")}) for n in range(320)),
        lambda _: "many",
    )
    written = record(acts, run("r", file("dataset", "data/telco.csv", "d", "used")))
    assert [row.id for _, row in acts.project.neighbours(written.entity).up] == [old.entity]
    many = [file("dataset", f"{n}.csv", f"o{n}", "used") for n in range(20)]
    written = record(acts, run("s", *many))
    assert acts.project.count("dataset") == 321
    assert len(acts.project.neighbours(written.entity).up) == 20


def test_a_model_version_that_was_declared_is_that(acts: Acts) -> None:
    """`carnet add model churn@3` first: the run that makes it is linked to it, and not to a second one of that name."""
    declared = acts.declare("model", "churn", version="3")
    written = record(acts, run("r", file("model", "churn", "m", "made", "3")))
    assert [row.id for _, row in acts.project.neighbours(written.entity).down] == [declared.entity]


def test_a_name_that_is_taken_by_other_bytes_is_not_taken_twice(acts: Acts) -> None:
    """The run is recorded all the same, its model without that version, and it says so."""
    record(acts, run("r-1", file("model", "churn", "m", "made", "3")))
    other = file("model", "churn", "other", "made", "3")
    other.attrs["path"] = "out/model.pkl"
    written = record(acts, run("r-2", other))
    assert [row.title for _, row in acts.project.neighbours(written.entity).down] == ["out/model.pkl"]
    node = acts.project.node(written.entity)
    assert node is not None
    assert node.attrs["notes"] == [
        "churn@3 is declared already with other bytes: this one is recorded as out/model.pkl, without a version"
    ]


def test_a_new_version_with_old_bytes_is_told(acts: Acts) -> None:
    record(acts, run("r-1", file("model", "churn", "m", "made", "3")))
    written = record(acts, run("r-2", file("model", "churn", "m", "made", "4")))
    node = acts.project.node(written.entity)
    assert node is not None
    assert node.attrs["notes"] == ["churn@4 has the bytes of churn@3, and is recorded as that"]


def test_a_run_that_used_what_it_made_has_no_circle(acts: Acts) -> None:
    """By whatever kind the same bytes are known."""
    acts.declare("document", "notes", digests={"sha256": sha("n")})
    written = record(acts, run("r", file("dataset", "n.csv", "n", "used"), file("document", "n.md", "n", "made")))
    near = acts.project.neighbours(written.entity)
    assert [(relation, row.title) for relation, row in (*near.up, *near.down)] == [("used", "notes")]


def test_anything_can_stand_in_a_record(acts: Acts) -> None:
    """Lone surrogates, names that are not ASCII, huge numbers, ten thousand characters of wide text."""
    raw = os.fsdecode(b"\xff")
    written = record(
        acts,
        run(f"{raw} 模型", file("dataset", f"{raw}.csv", "d", "used"), params={f"p{raw}": raw, "wide": "模" * 10_000},
            attrs={"argv": [raw, "模型"], "größe": 2**70, "env": {raw: raw}}),
    )  # fmt: skip
    node = acts.project.node(written.entity)
    assert node is not None
    assert node.name == "\\udcff 模型"
    assert node.attrs["gr\\xf6\\xdfe"] == str(2**70)
    assert node.params["wide"] == "模" * 10_000


# -- kept aside ----------------------------------------------------------------------------------------------------------


def test_a_run_waits_for_a_project_and_is_taken_in_once(acts: Acts, tmp_path: Path) -> None:
    """R012: kept whole, taken in with its bytes; taken in again it is still one run."""
    folder = tmp_path / "aside"
    big = tmp_path / "big.bin"
    big.write_bytes(b"big")
    made = file("model", "m.pkl", "m", "made")
    made.keep.append(Kept("", "big.bin", sha("big"), 3, file=big))
    one = run(
        "r-1", made, attrs={"cwd": str(tmp_path / "work" / "sub")}, keep=[kept("metrics_history", "metrics.jsonl", "h")]
    )
    place = keep_aside(folder, one)
    big.unlink()
    assert kept_aside(folder) == [place]
    loaded = load_aside(place, tmp_path / "work")
    assert (loaded.name, loaded.key, loaded.attrs["cwd"]) == ("r-1", one.key, "sub")
    first = record(acts, loaded)
    for text in ("m", "h", "big"):
        assert acts.project.objects.get(sha(text)) == text.encode()
    again = record(acts, load_aside(place, tmp_path / "work"))
    assert again.entity == first.entity
    assert again.changes == ()
    assert acts.project.count("run") == 1


def test_nobody_else_reads_what_waits(tmp_path: Path) -> None:
    place = keep_aside(tmp_path / "aside", run("r", keep=[kept("x", "x", "x")]))
    paths = (place.parent, place, place / "objects", place / "run.json", *(place / "objects").iterdir())
    assert len(paths) == 5
    assert [path for path in paths if path.stat().st_mode & 0o077] == []


def test_what_waits_and_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Truncated, of another format, not there; a folder without a run is none."""
    place = keep_aside(tmp_path / "aside", run("r"))
    raw = (place / "run.json").read_text()
    for text in (
        raw[:-10],
        "[]",
        json.dumps({**json.loads(raw), "format": "carnet-run/9"}),
        json.dumps({**json.loads(raw), "new": 1}),
        "",
    ):
        (place / "run.json").write_text(text)
        with pytest.raises(Invalid, match="cannot be read"):
            load_aside(place)
    with pytest.raises(NotFound):
        load_aside(tmp_path / "gone")
    (tmp_path / "aside" / "empty").mkdir()
    assert kept_aside(tmp_path / "aside") == [place]
    assert kept_aside(tmp_path / "nowhere") == []


def test_a_place_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Invalid, match="could not be kept"):
        keep_aside(tmp_path / "file", run("r"))


def test_where_runs_wait(tmp_path: Path) -> None:
    """Beside the keys where their folder is named; else with the user's data."""
    assert capture_record.aside_folder({"CARNET_CONFIG": str(tmp_path)}) == tmp_path / "runs"
    assert capture_record.aside_folder({}).parts[-2:] == ("carnet", "runs")
