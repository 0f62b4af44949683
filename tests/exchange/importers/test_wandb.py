"""The W&B importer: judged by what W&B's own protobuf says of a real offline run, then by files made here, record by record.

Real files of 0.31.0 hold every value as JSON; the typed values (fields 3 to 8 of a history item) are tested on records made by hand after the
published messages. So are settings, git, used artifacts and resumed runs, which an offline run without a server does not write.
"""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from carnet_store import Desk
from carnet_store.core import canonical
from carnet_store.errors import Invalid
from carnet_store.exchange import capturing
from carnet_store.exchange.importers import importer, wandb, wandb_run
from carnet_store.exchange.importers.things import Ref, Source, Thing, Unread, number_text
from carnet_store.exchange.importers.wandb_log import BLOCK, Record, fields, records
from carnet_store.work.identity import Keyring

COMMIT = "dae682b52de6f246bea13ec5a7f70b347cf23e22"

# -- a writer of .wandb files, as small as it can be ---------------------------------------------------------------------


def varint(number: int) -> bytes:
    """Return a number as protobuf writes it; negative ones over 64 bits."""
    number &= 2**64 - 1
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes([*made, number])


def pb(*parts: tuple[int, Any]) -> bytes:
    """Return a message of (field, value): int a varint, float a double, text and bytes with their length."""
    made = b""
    for number, value in parts:
        if isinstance(value, int):
            made += varint(number << 3) + varint(value)
        elif isinstance(value, float):
            made += varint(number << 3 | 1) + struct.pack("<d", value)
        else:
            data = value.encode() if isinstance(value, str) else value
            made += varint(number << 3 | 2) + varint(len(data)) + data
    return made


def item(key: str | list[str], value: Any) -> bytes:
    """Return an item whose value stands as JSON."""
    path = [(1, key)] if isinstance(key, str) else [(2, part) for part in key]
    return pb(*path, (16, json.dumps(value)))


def run_record(*more: tuple[int, Any], name: str = "r1", project: str = "churn", **config: Any) -> bytes:
    """Return the record that says which run it is."""
    items = pb(*((1, item(key, value)) for key, value in config.items()))
    begun = pb((1, 1_700_000_000), (2, 250_000_000))
    return pb((17, pb((1, name), (3, project), (4, items), (8, f"run {name}"), (17, begun), *more)))


def row(step: int, **values: Any) -> bytes:
    """Return a record of a history row, as 0.31.0 writes it."""
    values = {"_step": step, "_timestamp": 1_700_000_000.5 + step} | values
    return pb((2, pb(*((1, item([key], value)) for key, value in values.items()), (2, pb((1, step))))))


def summary(*items: bytes, removed: Iterable[bytes] = ()) -> bytes:
    """Return a record that changes the summary."""
    return pb((3, pb(*((1, one) for one in items), *((2, one) for one in removed))))


EXIT = pb((18, pb((1, 0), (2, 7))))


def framed(*messages: bytes) -> bytes:
    """Return a whole file: header, blocks of 32 KiB, each record in as many pieces as it needs."""
    made = bytearray(b":W&B\xe1\xbe\x00")
    for message in messages:
        first, left = True, message
        while first or left:
            room = BLOCK - len(made) % BLOCK
            if room < 7:
                made += bytes(room)
                continue
            data, left = left[: room - 7], left[room - 7 :]
            kind = (1 if first else 4) if not left else (2 if first else 3)
            made += struct.pack("<IHB", zlib.crc32(bytes([kind]) + data), len(data), kind) + data
            first = False
    return bytes(made)


def write(folder: Path, *messages: bytes, name: str = "r1", run: str = "offline-run-20260302_040000") -> Path:
    """Write a run's folder and return its file."""
    path = folder / f"{run}-{name}" / f"run-{name}.wandb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(framed(*messages))
    return path


def read(path: Path) -> tuple[list[Thing], list[Unread]]:
    """Read a path; every thing must be fit for the record."""
    found = list(importer("wandb").read(Source(path)))
    things = [one for one in found if isinstance(one, Thing)]
    for thing in things:
        canonical.encode(dict(capturing._fact(thing, []).value))
    assert len({thing.ref for thing in things}) == len(things), "each thing comes once"
    return things, [one for one in found if isinstance(one, Unread)]


def only(things: Iterable[Thing], kind: str, key: str = "") -> Thing:
    """Return the one thing of a kind whose key ends so."""
    (found,) = [thing for thing in things if thing.ref.kind == kind and thing.ref.key.endswith(key)]
    return found


def points(run: Thing) -> list[dict[str, Any]]:
    """Return the history that is kept with a run."""
    return [json.loads(line) for keep in run.keep if keep.name == "history" for line in keep.data.splitlines()]


def of(*messages: bytes, folder: Path) -> Thing:
    """Return the run of a file with these records, which must be read without a complaint."""
    things, unread = read(write(folder, *messages))
    assert not unread
    return only(things, "run")


# -- the real run --------------------------------------------------------------------------------------------------------


@pytest.fixture
def real(real_tools: Path) -> tuple[Path, dict[str, Any]]:
    """The file of a run of wandb 0.31.0, and what W&B's own protobuf reads in it."""
    (path,) = real_tools.glob("wandb/*/*.wandb")
    return path, json.loads(path.with_suffix(".expected.json").read_text(encoding="utf-8"))


def test_every_record_of_the_real_run_is_found(real: tuple[Path, dict[str, Any]]) -> None:
    """R096: as many records of each kind as W&B counts; so header, blocks, checksums and fields are understood."""
    names = {
        2: "history",
        3: "summary",
        6: "files",
        7: "stats",
        8: "artifact",
        11: "telemetry",
        17: "run",
        18: "exit",
        21: "header",
        26: "environment",
    }
    kinds: dict[str, int] = {}
    for record in records(real[0]):
        assert isinstance(record, Record)
        (name,) = [names[number] for number, _ in fields(record.data) if number in names]
        kinds[name] = kinds.get(name, 0) + 1
    assert kinds == real[1]["kinds"]


def test_history_of_the_real_run(real: tuple[Path, dict[str, Any]]) -> None:
    """Each number of each row is a point with step, time and its value as text; NaN and infinity are what they are."""
    things, unread = read(real[0])
    assert not unread
    wanted = set()
    for one in real[1]["history"]:
        at = round(one["_timestamp"] * 1000)
        for name, value in one.items():
            if not name.startswith("_") and not name.startswith("preds/") and isinstance(value, int | float):
                wanted.add((name, one["_step"], at, number_text(value)))
    found = points(only(things, "run"))
    assert {(p["name"], p["step"], p["t"], p["value"]) for p in found} == wanted
    assert len(found) == len(wanted) == 92
    assert [p["value"] for p in found if p["name"] in ("nan", "inf")].count("NaN") == 1
    assert list(found[0]) == ["name", "step", "t", "value"]


def test_summary_and_configuration_of_the_real_run(real: tuple[Path, dict[str, Any]]) -> None:
    """R036: parameters are the configuration, flattened; metrics are the summary's numbers and nothing that W&B added (R047: the seed)."""
    run = only(read(real[0])[0], "run")
    config = real[1]["config"]
    assert run.params == {
        "lr": "0.001", "seed": "7", "layers": "[64,32]", "opt.name": config["opt"]["name"], "opt.betas": "[0.9,0.999]",
    }  # fmt: skip
    wanted = {
        name: number_text(value) for name, value in real[1]["summary"].items()
        if isinstance(value, int | float) and not name.startswith(("_", "preds/"))
    }  # fmt: skip
    assert {one["name"]: one["value"] for one in run.metrics} == wanted
    assert wanted["nan"] == "NaN" and wanted["inf"] == "Infinity" and wanted["best_acc"] == "0.965"
    assert {one["name"]: one.get("step") for one in run.metrics} == {
        "loss": 29, "acc": 29, "epoch": 29, "nan": 30, "inf": 30, "best_acc": None,
    }  # fmt: skip


def test_the_real_run_itself(real: tuple[Path, dict[str, Any]]) -> None:
    """What people said of it, how it ended, what it ran; the picture of its table is no metric."""
    run, said = only(read(real[0])[0], "run"), real[1]["run"]
    assert run.ref == Ref("run", "wandb", f"{said['project']}/{said['run_id']}"), "an offline run knows no entity"
    assert (run.name, run.at) == (said["display_name"], 1_795_404_245_094)
    assert {name: run.attrs[name] for name in ("group", "job_type", "notes", "tags")} == {
        "group": said["run_group"], "job_type": said["job_type"], "notes": said["notes"], "tags": said["tags"],
    }  # fmt: skip
    assert (run.attrs["status"], run.attrs["exit_code"], run.attrs["ended"]) == (
        "FINISHED",
        real[1]["exit"],
        1_795_404_245_964,
    )
    assert run.attrs["files"] == real[1]["files"]
    assert run.attrs["command"].endswith("wandb_dev.py /tmp/wandb-dev dev")
    assert run.attrs["media"] == [
        {"name": "preds", "type": "table-file", "path": real[1]["summary"]["preds/path"], "size": 52,
         "sha256": real[1]["summary"]["preds/sha256"]}
    ]  # fmt: skip
    assert run.attrs["rows"] == len(real[1]["history"])


def test_artifacts_of_the_real_run(real: tuple[Path, dict[str, Any]]) -> None:
    """A model is a model, a table a document; W&B's digest is a reference, the MD5 of each file is that of its bytes."""
    things, _ = read(real[0])
    model, table = (one for one in things if one.ref.kind != "run")
    wanted = real[1]["artifacts"]
    assert model.ref == Ref("model", "wandb", f"churn-model:{wanted[0]['digest']}")
    assert table.ref == Ref("document", "wandb", f"{wanted[1]['name']}:{wanted[1]['digest']}")
    assert model.attrs["reference"] == {"wandb": wanted[0]["digest"]}
    assert model.attrs["files"] == [{"path": "m.bin", "md5": "09bb975ec28c9af2606d74171e8371c8", "size": 6}]
    assert model.attrs["metadata"] == json.loads(wanted[0]["metadata"])
    assert model.attrs["aliases"] == wanted[0]["aliases"]
    assert only(things, "run").edges == [("made", model.ref), ("made", table.ref)]
    assert not model.digests, "no digest of the whole bytes is known"


def test_what_was_taken_in_is_taken_in_once(real_tools: Path, tmp_path: Path) -> None:
    """R096: a folder of runs goes through plan and record; a second time there is nothing new."""
    keyring = Keyring(tmp_path / "keys")
    ana = keyring.new("Ana Ruiz", "ana@example.org")
    with Desk.with_keyring(tmp_path / "work", keyring, ana) as desk:
        project, _ = desk.found("churn")
        sources = [("wandb", Source(real_tools / "wandb"))]
        with desk.capture_plan(project, sources) as made:
            assert (made.count("new"), made.edges, made.objects, made.unread) == (3, 2, 1, [])
            desk.capture(project, made)
        with capturing.plan(desk.acts(project), sources) as again:
            assert again.nothing_new


# -- values --------------------------------------------------------------------------------------------------------------


def test_typed_values_by_hand(tmp_path: Path) -> None:
    """No sample of typed values exists, so a record is made after the published message: none, boolean, sint64, double, text, JSON."""
    values = [("none", (3, 0)), ("yes", (4, 1)), ("minus", (5, 5)), ("big", (5, 2 * 2**40)), ("half", (6, 0.5)), ("odd", (6, float("-inf"))),
              ("word", (7, "hi")), ("tree", (8, '{"a": 1.5}'))]  # fmt: skip
    record = pb((2, pb(*((1, pb((1, key), value)) for key, value in values), (2, pb((1, 4))))))
    run = of(run_record(), record, folder=tmp_path)
    assert {p["name"]: p["value"] for p in points(run)} == {
        "minus": "-3", "big": str(2**40), "half": "0.5", "odd": "-Infinity", "tree.a": "1.5",
    }  # fmt: skip
    assert {p["step"] for p in points(run)} == {4}


def test_values_of_every_kind(tmp_path: Path) -> None:
    """Numbers are points; switches, text and pictures are none; nested values have dotted names, huge integers keep every digit."""
    run = of(
        run_record(), row(0, ok=True, text="hi", none=None, n=2**60, val={"auc": 0.5, "deep": {"x": 1}}, h={"_type": "histogram", "bins": [1.5]}),
        summary(item(["ok"], True), item(["text"], "hi"), item(["val", "auc"], 0.5), item(["_wandb", "runtime"], 3), item("plain", 2)), EXIT,
        folder=tmp_path,
    )  # fmt: skip
    assert {p["name"]: p["value"] for p in points(run)} == {"n": str(2**60), "val.auc": "0.5", "val.deep.x": "1"}
    assert run.metrics == [{"name": "val.auc", "value": "0.5"}, {"name": "plain", "value": "2"}]
    assert run.attrs["summary"] == {"ok": True, "text": "hi"}
    assert run.attrs["ended"] - run.attrs["started"] == 7_000


def test_parameters_as_text(tmp_path: Path) -> None:
    """R036: text as it is, all else as JSON spells it; what W&B put in itself is left out, names of any script survive."""
    run = of(
        run_record(
            lr=1e-05,
            on=True,
            none=None,
            größe="ü",
            deep={"a": {"b": [1, {"c": 2.5}]}, "e": {}},
            _wandb={"cli": 1},
            word="true",
        ),
        folder=tmp_path,
    )
    assert run.params == {
        "lr": "1e-05", "on": "true", "none": "null", "größe": "ü", "deep.a.b": '[1,{"c":2.5}]', "deep.e": "{}", "word": "true",
    }  # fmt: skip


def test_later_configuration_and_summary_replace_and_remove(tmp_path: Path) -> None:
    """Updates reach into what is nested; what was removed is gone; removing what is not there does nothing."""
    changed = pb(
        (5, pb((1, item(["opt", "name"], "sgd")), (1, item("new", 1)), (2, pb((1, "lr"))), (2, pb((1, "none")))))
    )
    run = of(
        run_record(lr=0.1, opt={"name": "adam", "beta": 0.9}), changed,
        summary(item(["a", "b"], 1), item("gone", 5)), summary(item(["a", "c"], 2), removed=[pb((1, "gone")), pb((2, "x"), (2, "y"))]),
        folder=tmp_path,
    )  # fmt: skip
    assert run.params == {"opt.name": "sgd", "opt.beta": "0.9", "new": "1"}
    assert {m["name"]: m["value"] for m in run.metrics} == {"a.b": "1", "a.c": "2"}


def test_more_names_than_the_record_should_hold(tmp_path: Path) -> None:
    """The first thousand stand in the record, all of them in a file beside it."""
    config: dict[str, Any] = {f"p{n}": n for n in range(1_500)}
    run = of(run_record(**config), summary(*(item([f"m{n}"], n) for n in range(1_200))), folder=tmp_path)
    assert (len(run.params), len(run.metrics)) == (wandb_run.MOST_NAMES, wandb_run.MOST_NAMES)
    kept = {keep.name: json.loads(keep.data) for keep in run.keep}
    assert len(kept["all_params"]) == 1_500 and len(kept["all_metrics"]) == 1_200


def test_a_history_larger_than_its_room_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points beyond are reported by number; the newest values are known all the same."""
    monkeypatch.setattr(wandb_run, "HISTORY_ROOM", 1_000)
    things, unread = read(write(tmp_path, run_record(), *(row(n, loss=n) for n in range(100))))
    run = only(things, "run")
    kept = len(points(run))
    assert 0 < kept < 25
    assert [one.why for one in unread] == [
        f"{100 - kept} points of its history are beyond the 1,000 bytes that are kept"
    ]
    assert run.metrics == [{"name": "loss", "value": "99", "step": 99}]


def test_values_that_are_no_json(tmp_path: Path) -> None:
    """They are named, and counted where there are many; what is beside them is read."""
    bad = pb((2, pb(*((1, pb((2, f"k{n}"), (16, "{oops"))) for n in range(30)), (1, item(["good"], 1)))))
    things, unread = read(write(tmp_path, run_record(), bad, pb((2, b"\xff\xff"))))
    assert [p["name"] for p in points(only(things, "run"))] == ["good"]
    assert len(unread) == wandb_run.NAMED + 1
    assert "'k0' is no JSON" in unread[0].why and unread[-1].why.startswith("11 more")


# -- runs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "status", "code"),
    [
        (EXIT, "FINISHED", 0),
        (pb((18, b"")), "FINISHED", 0),
        (pb((18, pb((1, 3)))), "FAILED", 3),
        (pb((18, pb((1, -9)))), "FAILED", -9),
        (pb((18, pb((3, 1)))), "UNFINISHED", 0),
        (b"", "UNFINISHED", None),
    ],
)
def test_how_a_run_ended(tmp_path: Path, last: bytes, status: str, code: int | None) -> None:
    """Exit code 0 has finished, any other failed; without an exit record nobody knows, and no end is made up."""
    run = of(run_record(), last, folder=tmp_path)
    assert (run.attrs["status"], run.attrs.get("exit_code"), "ended" in run.attrs) == (status, code, code is not None)


def test_a_run_without_summary_has_its_newest_points(tmp_path: Path) -> None:
    """A run that was killed before its summary still has metrics: the newest of its history."""
    run = of(
        run_record(),
        summary(item(["_wandb", "runtime"], 1)),
        row(0, loss=1.0, acc=0.1),
        row(1, loss=0.5),
        folder=tmp_path,
    )
    assert run.metrics == [{"name": "loss", "value": "0.5", "step": 1}, {"name": "acc", "value": "0.1"}]


def test_a_run_of_a_team_and_a_resumed_one(tmp_path: Path) -> None:
    """The entity is part of the id where the file names one; two folders of one run are one run, the link to the latest is none."""
    write(tmp_path, run_record((2, "team"), lr=1), row(0, loss=1.0), EXIT)
    later = write(
        tmp_path, run_record((2, "team"), lr=2), row(1, loss=0.5), pb((18, pb((1, 1)))), run="run-20260303_040000"
    )
    write(tmp_path, run_record(name="r2"), name="r2")
    (tmp_path / "latest-run").symlink_to(later.parent)
    (tmp_path / "run-link").symlink_to(later.parent)
    things, unread = read(tmp_path)
    assert not unread
    assert [thing.ref.key for thing in things] == ["team/churn/r1", "churn/r2"]
    run = things[0]
    assert ([p["value"] for p in points(run)], run.params, run.attrs["status"]) == (
        ["1.0", "0.5"],
        {"lr": "2"},
        "FAILED",
    )
    assert shape(read(later.parent / "run-r1.wandb")[0])[0][0] == run.ref
    assert shape(read(tmp_path / "latest-run")[0])[0][0] == run.ref, "a link that is named itself is followed"


def shape(things: Iterable[Thing]) -> list[Any]:
    """Return all of some things."""
    return [(t.ref, t.name, t.attrs, t.params, t.metrics, t.edges, t.keep) for t in things]


def test_one_id_in_two_projects_is_two_runs(tmp_path: Path) -> None:
    """Ids are unique within a project only."""
    write(tmp_path, run_record(project="a"), row(0, loss=1.0))
    write(tmp_path, run_record(project="b"), row(0, loss=2.0), run="run-20260304_040000")
    write(tmp_path, run_record(name="r3", project=""), name="r3")
    things, unread = read(tmp_path)
    assert not unread
    assert [(thing.ref.key, [p["value"] for p in points(thing)]) for thing in things] == [
        ("a/r1", ["1.0"]), ("b/r1", ["2.0"]), ("uncategorized/r3", []),
    ]  # fmt: skip


@pytest.mark.parametrize("place", ["run", "environment"])
def test_the_commit_is_code_that_the_run_used(tmp_path: Path, place: str) -> None:
    """R034: the git record stands in the run, or (newer) in the environment; user info of the address is left out."""
    git = pb((1, "https://ana:hunter2@git.example.org/team/churn.git"), (2, COMMIT.upper()))
    records = [run_record((21, git))] if place == "run" else [run_record(), pb((26, pb((9, git))))]
    things, _ = read(write(tmp_path, *records))
    code = only(things, "code")
    assert (code.ref, code.name, code.version) == (Ref("code", "git", COMMIT), "churn", COMMIT[:12])
    assert code.attrs == {"commit": COMMIT, "repository": "https://git.example.org/team/churn.git"}
    assert only(things, "run").edges == [("used", code.ref)]


def test_a_short_commit_names_no_code(tmp_path: Path) -> None:
    """It stays an attribute of the run."""
    things, _ = read(write(tmp_path, run_record((21, pb((2, "dae682b"))))))
    assert [thing.ref.kind for thing in things] == ["run"] and things[0].attrs["commit"] == "dae682b"


def test_secrets_are_left_out(tmp_path: Path) -> None:
    """Settings are never read; text under a secret's name in configuration, summary and command line is not taken."""
    settings = pb((1, pb((1, "api_key"), (16, '"hunter2"'))))
    environment = pb((5, "--wandb-api-key"), (5, "hunter2"), (5, "--lr=0.1"), (5, "--token=hunter2"), (5, "https://u:hunter2@h/x"), (6, "train.py"),
                     (10, "hunter2@example.org"), (13, "ana"), (18, "A100"), (19, 2))  # fmt: skip
    run = of(
        run_record((11, settings), openai_api_key="hunter2", db={"password": "hunter2", "url": "pg://u:hunter2@h/d"}, max_tokens=5,
                   pad_token="<pad>", hub={"list": [{"secret": "hunter2"}]}),
        pb((26, environment)), summary(item("auth_token", "hunter2")), pb((100, pb((1, "hunter2")))), folder=tmp_path,
    )  # fmt: skip
    assert "hunter2" not in repr(run)
    assert (run.params["max_tokens"], run.params["pad_token"], run.params["openai_api_key"]) == (
        "5",
        "<pad>",
        "(not taken)",
    )
    assert run.attrs["command"] == "train.py --wandb-api-key '(not taken)' --lr=0.1 '--token=(not taken)' https://h/x"
    assert (run.attrs["user"], run.attrs["environment"]) == ("ana", {"gpu": "A100", "gpus": 2})


# -- artifacts -----------------------------------------------------------------------------------------------------------


def artifact(
    name: str = "a", digest: str = "d" * 32, *more: tuple[int, Any], kind: str = "dataset", alias: str = "latest"
) -> bytes:
    """Return the record of an artifact."""
    return pb((8, pb((4, kind), (5, name), (6, digest), (11, alias), *more)))


def test_used_and_made_artifacts(tmp_path: Path) -> None:
    """An artifact handed in as an input (10) and one used from the server (25) are used, a logged one is made."""
    things, unread = read(write(
        tmp_path, run_record(), artifact("in", "1" * 32, (10, 1)), artifact("out", "2" * 32, kind="model"),
        pb((25, pb((1, "QXJ0aWZhY3Q6MQ=="), (2, "dataset"), (3, "remote:v3")))), artifact("out", "2" * 32, kind="model", alias="best"),
    ))  # fmt: skip
    assert not unread
    assert only(things, "run").edges == [
        ("used", Ref("dataset", "wandb", "in:" + "1" * 32)), ("made", Ref("model", "wandb", "out:" + "2" * 32)),
        ("used", Ref("dataset", "wandb", "id:QXJ0aWZhY3Q6MQ==")),
    ]  # fmt: skip
    remote = only(things, "dataset", "MQ==")
    assert (remote.name, remote.version, remote.attrs["reference"]) == ("remote", "v3", {"wandb": "QXJ0aWZhY3Q6MQ=="})
    assert only(things, "model").attrs["aliases"] == ["latest", "best"]


def test_an_artifact_of_two_runs_comes_once(tmp_path: Path) -> None:
    """One run makes it, another uses it; both edges lead to one thing."""
    write(tmp_path, run_record(), artifact("t", "3" * 32), name="r1")
    write(tmp_path, run_record(name="r2"), artifact("t", "3" * 32, (10, 1), (7, "told later")), name="r2")
    things, _ = read(tmp_path)
    data = only(things, "dataset")
    assert [thing.edges for thing in things if thing.ref.kind == "run"] == [[("made", data.ref)], [("used", data.ref)]]
    assert data.attrs["description"] == "told later"


def test_files_of_an_artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MD5 only where the digest is one; a file that lies elsewhere has an address; more files than are listed are counted."""
    entries = [
        pb((1, "a"), (2, "CbuXXsKMmvJgbXQXHoNxyA=="), (4, 6)), pb((1, "b"), (2, "not base64!"), (4, 7)), pb((1, "c"), (2, "QUJD")),
        pb((1, "d"), (2, "CbuXXsKMmvJgbXQXHoNxyA=="), (3, "https://u:pw@h/d?sig=x"), (4, 1)),
    ]  # fmt: skip
    manifest = (12, pb(*((4, one) for one in entries)))
    path = write(tmp_path, run_record(), artifact("x", "4" * 32, manifest))
    assert only(read(path)[0], "dataset").attrs["files"] == [
        {"path": "a", "md5": "09bb975ec28c9af2606d74171e8371c8", "size": 6}, {"path": "b", "digest": "not base64!", "size": 7},
        {"path": "c", "digest": "QUJD"},
        {"path": "d", "digest": "CbuXXsKMmvJgbXQXHoNxyA==", "uri": "https://h/d?sig=***", "size": 1},
    ]  # fmt: skip
    monkeypatch.setattr(wandb_run, "MOST_FILES", 3)
    assert only(read(path)[0], "dataset").attrs["files_left_out"] == 1


def test_artifacts_that_say_too_little(tmp_path: Path) -> None:
    """Without a digest there is no id; a list of files in another file is reported; broken metadata too."""
    things, unread = read(write(
        tmp_path, run_record(), artifact("none", ""), artifact("far", "5" * 32, (12, pb((5, "/tmp/manifest.json"))), (8, "{oops")),
        pb((25, pb((2, "model")))),
    ))  # fmt: skip
    assert [thing.ref.key for thing in things] == ["churn/r1", "far:" + "5" * 32]
    assert [one.where for one in unread] == ["run-r1.wandb"] * 4


# -- damage --------------------------------------------------------------------------------------------------------------


def long_run() -> list[bytes]:
    """Return the records of a run over several blocks, one of them larger than a block."""
    rows = [row(n, loss=float(n), text="x" * 150) for n in range(400)]
    return [run_record(lr=0.1), *rows[:200], pb((13, b"o" * 80_000)), *rows[200:], summary(item("best", 1)), EXIT]


def test_records_larger_than_a_block(tmp_path: Path) -> None:
    """First, middle and last pieces come together; every row before and after is there."""
    path = write(tmp_path, *long_run())
    assert path.stat().st_size > 5 * BLOCK
    things, unread = read(path)
    assert not unread
    assert [p["step"] for p in points(only(things, "run"))] == list(range(400))


@pytest.mark.parametrize("left", range(12))
def test_the_end_of_a_block(tmp_path: Path, left: int) -> None:
    """A record that leaves 0 to 11 bytes of its block: padding, an empty first piece, or just a header."""
    first = run_record()
    size = BLOCK - 7 - (7 + len(first)) - left - 7
    filler = pb((13, b"x" * (size - 4)))
    assert len(filler) == size
    run = of(first, filler, row(0, loss=1.0), row(1, loss=2.0), folder=tmp_path)
    assert len(points(run)) == 2


def test_a_file_cut_off_gives_what_it_holds(real: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Wherever a killed run's file ends: the rows up to there, at most one report, and never an end of the run."""
    raw = real[0].read_bytes()
    whole = points(only(read(real[0])[0], "run"))
    path = tmp_path / "run-x.wandb"
    seen = set()
    for cut in [*range(0, 60), *range(60, len(raw), 97)]:
        path.write_bytes(raw[:cut])
        if cut < 7:
            with pytest.raises(Invalid):
                read(path)
            continue
        things, unread = read(path)
        assert len(unread) <= 1 + (not things)
        for run in things[:1]:
            assert (run.ref.key, run.attrs["status"]) == ("churn/jlm4ecpk", "UNFINISHED")
            found = points(run)
            assert found == whole[: len(found)]
            seen.add(len(found))
    assert len(seen) > 25, "the cuts reached through the whole history"


def test_damage_costs_its_block(tmp_path: Path) -> None:
    """A flipped byte in the second block: what stands before and after is read, and the place is reported once."""
    path = write(tmp_path, *long_run())
    raw = bytearray(path.read_bytes())
    raw[BLOCK + 5_000] ^= 1
    path.write_bytes(raw)
    things, unread = read(path)
    steps = [p["step"] for p in points(only(things, "run"))]
    assert steps[:60] == list(range(60)) and steps[-100:] == list(range(300, 400))
    assert 200 < len(steps) < 400
    assert [one.why for one in unread if "checksum is wrong" in one.why] == [one.why for one in unread] and len(
        unread
    ) == 1
    assert only(things, "run").attrs["status"] == "FINISHED"


def test_zeros_at_the_end(tmp_path: Path) -> None:
    """A file system that lost power leaves zeros: reported, not taken for records."""
    path = write(tmp_path, run_record(), row(0, loss=1.0))
    path.write_bytes(path.read_bytes() + bytes(100_000))
    things, unread = read(path)
    assert len(points(only(things, "run"))) == 1
    assert len(unread) == 1 and "there are zeros" in unread[0].why


def pieces_of(*pieces: tuple[int, bytes]) -> bytes:
    """Return a file of these pieces (type, data), however they fit."""
    made = b":W&B\xe1\xbe\x00"
    for kind, data in pieces:
        made += struct.pack("<IHB", zlib.crc32(bytes([kind]) + data), len(data), kind) + data
    return made


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([(1, run_record()), (4, b"x"), (1, EXIT)], "no beginning"),
        ([(1, run_record()), (2, b"x"), (1, EXIT)], "no end"),
        ([(1, run_record()), (2, b"x"), (2, EXIT[:3]), (4, EXIT[3:])], "no end"),
        ([(1, run_record()), (1, EXIT), (2, b"x")], "torn off"),
        ([(1, run_record()), (1, EXIT), (9, b"x")], "unknown type 9"),
    ],
)
def test_pieces_that_do_not_fit_together(tmp_path: Path, pieces: list[tuple[int, bytes]], why: str) -> None:
    """A record without beginning or end is reported; those around it are read."""
    path = tmp_path / "run-r1.wandb"
    path.write_bytes(pieces_of(*pieces))
    things, unread = read(path)
    assert only(things, "run").attrs["status"] == "FINISHED"
    assert len(unread) == 1 and why in unread[0].why


def damaged_files(raw: bytes) -> Iterator[bytes]:
    """Yield a file with bytes flipped, and with records whose checksum is right but whose message is damaged."""
    rng = random.Random(11)
    for _ in range(60):
        made = bytearray(raw)
        for _ in range(rng.randrange(1, 6)):
            made[rng.randrange(7, len(made))] ^= 1 << rng.randrange(8)
        yield bytes(made)
    messages = [run_record(lr=0.1), row(0, loss=1.0), summary(item("x", 1)), artifact("a", "1" * 32, (12, pb((4, pb((1, "f")))))), EXIT,
                pb((26, pb((6, "p"), (5, "q"))))]  # fmt: skip
    for number in range(200):
        made = bytearray(messages[number % len(messages)])
        for _ in range(rng.randrange(1, 4)):
            made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
        yield framed(run_record(), bytes(made), bytes(made[: rng.randrange(len(made))]), row(9, end=1))


def test_no_damage_breaks_it(real: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Any byte flipped, any message damaged under a right checksum: things and reports, never a traceback."""
    path = tmp_path / "run-x.wandb"
    for number, raw in enumerate(damaged_files(real[0].read_bytes())):
        path.write_bytes(raw)
        things, unread = read(path)
        assert things or unread, number


def test_what_is_no_run(tmp_path: Path) -> None:
    """Other files, an empty one, a newer format, no run record: an error or a report that says which; a guess sees that there is a file."""
    path = tmp_path / "run-r1.wandb"
    for content, why in ((b"", "is empty"), (b":W&B", "no .wandb file"), (b"PK\x03\x04 and so on", "no .wandb file"),
                         (b":W&B\xe1\xbe\x01", "version 1")):  # fmt: skip
        path.write_bytes(content)
        guess = wandb.guess(path)
        assert guess is not None and guess.words == "W&B, 1 run; the newest does not say which it is"
        with pytest.raises(Invalid, match=why):
            read(path)
        things, unread = read(tmp_path)
        assert not things and why in unread[0].why
    path.write_bytes(b":W&B\xe1\xbe\x00")
    assert [one.why for one in read(path)[1]] == ["it holds no record: the run ended before it wrote one"]
    path.write_bytes(framed(pb((21, b"")), EXIT))
    assert [one.why for one in read(path)[1]] == ["it is torn off before the run says its name"]
    for none in (tmp_path / "nothing", tmp_path.parent / "missing"):
        with pytest.raises(Invalid, match="holds no W&B run"):
            read(none)
        assert wandb.guess(none) is None


def test_guess_says_what_is_there(real_tools: Path, tmp_path: Path) -> None:
    """From the file, its folder, the wandb folder, or the project folder around it."""
    (path,) = real_tools.glob("wandb/*/*.wandb")
    for place in (path, path.parent, path.parent.parent, real_tools):
        found = wandb.guess(place)
        assert found is not None
        assert (found.kind, found.words, found.things) == ("wandb", "W&B, 1 run, newest churn/mlp-1", 1)
        assert only(read(place)[0], "run").name == "mlp-1"
    write(tmp_path, run_record(), name="r1")
    write(tmp_path, run_record(name="r2"), name="r2", run="run-20260101_000000")
    both = wandb.guess(tmp_path)
    assert both is not None and both.words == "W&B, 2 runs, newest churn/run r1"
    (tmp_path / "offline-run-20990101_000000-r3").mkdir()
    (tmp_path / "offline-run-20990101_000000-r3" / "run-r3.wandb").touch()
    both = wandb.guess(tmp_path)
    assert both is not None and both.words.startswith("W&B, 3 runs")
