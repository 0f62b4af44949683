"""`carnet capture` and `carnet start` on what real tools wrote: a plan, one transaction, items that fill themselves."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

Machine = Any


@pytest.fixture
def lab(ana: Machine, real_tools: Path) -> Machine:
    """Ana's project with MLflow's database, a DVC checkout, events and notebooks beside it."""
    for name in ("mlflow-sqlite", "openlineage", "wandb", "notebooks", "model-cards", "env"):
        shutil.copytree(real_tools / name, ana.folder / name)
    shutil.copytree(real_tools / "dvc" / "snapshot", ana.folder / "dvc")
    return ana


KINDS = {
    "mlflow": "mlflow-sqlite", "dvc": "dvc", "openlineage": "openlineage", "wandb": "wandb", "notebook": "notebooks",
    "model-card": "model-cards", "environment": "env",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_taken_in_once(lab: Machine, kind: str) -> None:
    """R096: each source is read by its name or guessed; a dry run writes nothing; a second reading adds nothing."""
    before = lab.ok("log", "--json").json
    planned = lab.ok("capture", kind, KINDS[kind], "--dry-run", "--json").json
    assert planned["new"] > 0 and not planned["written"]
    assert len(lab.ok("log", "--json").json) == len(before)
    guessed = lab.ok("capture", KINDS[kind], "--json")
    assert guessed.json["written"] and guessed.json["new"] == planned["new"]
    assert guessed.json["sources"][0]["kind"] == kind
    assert "Next: carnet " in guessed.last
    again = lab.ok("capture", kind, KINDS[kind], "--json").json
    assert (again["new"], again["changed"], again["edges"], again["written"]) == (0, 0, 0, False)
    assert lab.ok("verify").code == 0


def test_a_map_finds_what_lies_elsewhere_here(lab: Machine) -> None:
    """FORMATS.md 1.6: artifacts of another machine are hashed where a map says they lie."""
    plain = lab.ok("capture", "mlflow", "mlflow-sqlite", "--dry-run", "--json").json
    mapped = lab.ok("capture", "mlflow", "mlflow-sqlite", "--dry-run", "--json", "--map",
                    f"/tmp/ana-lab={lab.folder / 'mlflow-sqlite'}").json  # fmt: skip
    assert mapped["objects"] >= plain["objects"]


def test_what_is_not_here_and_what_cannot_be_read_is_told(lab: Machine) -> None:
    """Files out of reach are counted, a damaged source is named beside a good one, a map of no use is told."""
    (lab.folder / "mlflow-sqlite" / "mlruns.db").write_bytes(b"SQLite format 3\0" + bytes(90))
    told = lab.ok("capture", "mlflow-sqlite", "--dry-run", "--map", "/nowhere=/x")
    assert "found MLflow, 29 runs" in told.err and "but mlruns.db cannot be read" in told.err
    assert "mlruns.db: cannot be read" in told.out
    assert "--map /nowhere=/x: no address in what was read begins with that" in told.out
    (lab.folder / "bare").mkdir()
    shutil.copy(lab.folder / "mlflow-sqlite" / "mlflow.db", lab.folder / "bare")
    told = lab.ok("capture", "bare", "--dry-run")
    count = lab.ok("capture", "bare", "--dry-run", "--json").json["unreachable"]
    assert count > 1 and f"files of {count} things are out of reach here; they keep their addresses" in told.out


def test_where_nothing_was_found_nothing_is_called_known(lab: Machine) -> None:
    """A file without one record is no proof that the record holds it."""
    place = lab.folder / "w" / "offline-run-20260101_000000-x"
    place.mkdir(parents=True)
    (place / "run-x.wandb").write_bytes(b":W&B\xe1\xbe\x00")
    told = lab.ok("capture", "w", "--yes")
    assert "Nothing was found; 1 place could not be read." in told.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nothing-here",), 3, "there is no file or folder nothing-here"),
        (("mlflow", "mlflow-sqlite", "more"), 2, "one KIND and one PATH"),
        (("mlfow", "mlflow-sqlite"), 2, "there is no importer 'mlfow'"),
        (("mlflow", "telco.csv"), 4, "telco.csv"),
        (("telco.csv",), 3, "holds nothing that Carnet reads"),
        (("dvc", "https://example.org"), 2, "read from files"),
    ],
)
def test_wrong_calls_are_told(lab: Machine, words: tuple[str, ...], code: int, said: str) -> None:
    told = lab.call("capture", *words)
    assert said in told.err and "Traceback" not in told.err
    assert told.code in (code, 2, 3, 4), (told.code, told.err)


@pytest.mark.parametrize("source", ["mlflow-sqlite", "dvc/snapshot"])
def test_from_a_folder_to_an_open_handoff_in_one_command(machine: Any, real_tools: Path, source: str) -> None:
    """R161: identity, project, capture, model version, handoff, answers it has: one command, and nothing signed."""
    new = machine("Bo", identity=False)
    place = new.folder / "lab"
    shutil.copytree(real_tools / source, place)
    (new.root / "gitconfig").write_text("[user]\nname = Bo Li\nemail = bo@example.org\n")
    new.environ |= {"GIT_CONFIG_GLOBAL": str(new.root / "gitconfig"), "HOME": str(new.root)}
    said = new.call("start", "--no-tui", "--json", folder=place)
    assert said.code == 0, said.err
    found = said.json
    assert found["project"] == "lab" and found["items"] == 12 and found["captured"]["new"] > 10
    assert [one["item"] for one in found["proposed"]] == ["rep.rnd.seeds"]
    title = found["model"]
    shown = new.call("handoff", "fill", title, "--dry-run", "--json", folder=place).json
    assert shown[0]["proof"] and shown[0]["answer"]["filled"] == "seeds"
    marked = new.call("handoff", "show", title, folder=place)
    assert any("rep.rnd.seeds" in row and "proposed" in row for row in marked.out.splitlines())
    assert f"1 item proposed from the record. Next: carnet handoff fill {title} --dry-run" in marked.err
    told = new.call("handoff", "show", title, "rep.rnd.seeds", "--json", folder=place).json
    assert told["state"] == "open" and told["proposed"]
    done = new.call("handoff", "fill", title, "--yes", folder=place)
    assert done.code == 0, done.err
    items = {one["id"]: one for one in new.call("handoff", "show", title, "--json", folder=place).json["items"]}
    assert (items["rep.rnd.seeds"]["state"], items["rep.rnd.seeds"]["evidence"]) == ("answered", "recorded")
    again = new.call("handoff", "fill", title, "--yes", folder=place)
    assert again.code == 0 and "answers no open item of yours" in again.err
    more = new.call("start", "--no-tui", folder=place)
    assert more.code == 0 and f"A handoff of {title} goes on already" in more.err


def test_the_full_gate_is_half_filled_by_what_teams_have(lab: Machine) -> None:
    """Nothing that is proposed is wrong: each proposal is complete, and the machine fails none of them."""
    lab.ok("capture", "mlflow", "mlflow-sqlite")
    opened = lab.ok("handoff", "open", "churn-risk-model@2", "--gate", "research-to-engineering")
    assert "the record answers" in opened.err
    lab.ok("handoff", "fill", "churn-risk-model@2", "--yes")
    shown = lab.ok("handoff", "show", "churn-risk-model@2", "--json").json
    filled = {one["id"]: one["state"] for one in shown["items"] if one["evidence"] == "recorded" or one["answer"]}
    expected = {
        "rep.data.splits", "rep.par.all", "rep.par.search", "rep.rnd.seeds", "rep.res.negative", "card.who", "card.eval.data",
        "card.train.data", "card.res.overall",
    }  # fmt: skip
    assert expected <= set(filled)
    assert set(filled.values()) <= {"answered", "ok"}, filled


def test_a_handoff_of_what_a_run_made(ana: Machine) -> None:
    """`--last` and `--run` open a handoff from a run; the version is declared where nobody declared it."""
    opened = ana.ok("handoff", "open", "--last")
    assert "churn@1" in opened.err
    ana.ok("add", "run", "r-013", "--command", "python train.py", "--used", "telco", "--param", "seed=3")
    second = ana.ok("handoff", "open", "--run", "r-013")
    assert "declared model churn@2, made by r-013" in second.err
    named = ana.ok("add", "run", "r-014", "--command", "python train.py")
    assert named.code == 0
    third = ana.ok("handoff", "open", "rank@7", "--run", "r-014")
    assert "declared model rank@7" in third.err
    twice = ana.call("handoff", "open", "--run", "r-013")
    assert twice.code == 3 and "has a handoff at this gate already" in twice.err
    assert ana.call("handoff", "open").code == 2
    assert ana.call("handoff", "open", "--run", "r-013", "--last").code == 2
    assert ana.call("handoff", "open", "--last", "--include", "telco").code == 2
    assert ana.call("handoff", "open", "--run", "nobody").code != 0


def test_no_model_is_declared_that_nobody_made(machine: Any, real_tools: Path) -> None:
    """Nothing that nobody said is signed: a run whose source knows of no model opens no handoff; a deleted one is not the newest."""
    new = machine("Bo", identity=False)
    place = new.folder / "lab"
    shutil.copytree(real_tools / "mlflow-sqlite", place)
    said = new.call("start", "--run", "failed-oom", "--no-tui", "--json", folder=place)
    assert said.code == 3 and "failed-oom made no model that mlflow knows of" in said.err
    models = {row["title"] for row in new.call("list", "models", "--json", folder=place).json["rows"]}
    assert "preis-prognose@2" not in models
    named = new.call("handoff", "open", "oom-model", "--run", "failed-oom", "--json", folder=place)
    assert named.code == 0, named.err  # a person says so
    assert new.call("lineage", "oom-model@1", "--json", folder=place).json["ups"] == 1
    steps = new.folder / "steps"
    shutil.copytree(real_tools / "openlineage", steps)
    said = new.call("--store", str(steps / ".carnet"), "init", "--project", "steps", folder=steps)
    said = new.call("start", "--no-tui", folder=steps)
    assert said.code == 3 and "made no model that openlineage knows of" in said.err


def test_a_version_is_called_as_the_model_that_the_run_made(machine: Any, real_tools: Path) -> None:
    """W&B: the file that was logged gives the name, not the folder."""
    new = machine("Bo", identity=False)
    place = new.folder / "f6"
    shutil.copytree(real_tools / "wandb", place)
    said = new.call("start", "--no-tui", "--json", folder=place)
    assert said.code == 0 and said.json["model"] == "churn-model@1"


def test_start_makes_nothing_where_it_was_not_asked_to(machine: Any, real_tools: Path) -> None:
    """A folder that is none, a store that is not there, a place that cannot be written: one sentence each, nothing half-made."""
    new = machine("Bo", identity=False)
    place = new.folder / "lab"
    shutil.copytree(real_tools / "mlflow-sqlite", place)
    refused: tuple[tuple[tuple[str, ...], str], ...] = (
        (("start", "nosuch"), "there is no folder"),
        (("start", "mlflow.db"), "there is no folder"),
        (("--store", "elsewhere", "start", "--no-tui"), "there is no store"),
    )
    for words, told in refused:
        said = new.call(*words, folder=place)
        assert said.code == 2 and told in said.err, said.err
    (place / ".carnet").write_text("a file where the store would be")
    for words in (("start", "--no-tui"), ("init", "--project", "x")):
        said = new.call(*words, folder=place)
        assert said.code == 4 and "no store can be made in" in said.err and "CARNET_STORE" in said.err, said.err
    assert not (place / "nosuch").exists() and not Path(new.environ["CARNET_CONFIG"]).exists()
