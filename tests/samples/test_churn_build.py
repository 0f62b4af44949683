"""The sample's bundles: made again they are the same, member by member, and what they tell is what happened."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from carnet_store import Desk, Look
from carnet_store.exchange import verify
from carnet_tui.demo import LEDGER, make_keys

SAMPLES = Path(__file__).resolve().parents[2] / "sample_projects"
CHURN = SAMPLES / "churn-telco"
FINISHED = CHURN / "built" / "churn-telco.carnet.zip"
FIRST, SECOND = "starter-research-to-engineering", "starter-engineering-to-operations"


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("samples_build", SAMPLES / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A store that took in the whole story, on the evening of the last day."""
    from carnet_store.work.identity import Keyring

    folder = tmp_path_factory.mktemp("finished")
    evening = 1_776_880_800_000  # 2026-04-22 18:00 UTC
    with Desk.with_keyring(folder, Keyring(folder / "keys"), clock=lambda: evening) as desk:
        desk.accept(FINISHED, trust=LEDGER)
        make_keys(folder / "keys", desk.project())
        yield desk


def gate(desk: Desk, pack: str) -> Look:
    project = desk.project()
    titles = {h.id: (project.title(h.opened.model), h.gate.id) for h in project.handoffs()}
    return project.look(next(h for h, found in titles.items() if found == ("churn@2", pack)))


def recorded(run: str, file: str = "metrics.json") -> Any:
    return json.loads((CHURN / "runs" / run / file).read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.thorough
def test_a_new_build_is_the_same(builder: ModuleType, tmp_path: Path) -> None:
    """Played and run again, the bundles equal the kept ones member by member; the re-runs find what is recorded (R046)."""
    builder.build(tmp_path / "built", tmp_path / "work")
    found = builder.differences(CHURN / "built", tmp_path / "built")
    assert found == [], "run: python sample_projects/build.py"
    again = json.loads((tmp_path / "work" / "r-008" / "rerun.json").read_text(encoding="utf-8"))
    assert again == recorded("r-008", "rerun.json") and again["verdict"] == "diverged"


def test_differences_are_seen(builder: ModuleType, tmp_path: Path) -> None:
    """The comparison names a member that differs, one that is missing and a bundle that is missing."""
    shutil.copytree(CHURN / "built", tmp_path / "made")
    assert builder.differences(CHURN / "built", tmp_path / "made") == []
    (tmp_path / "made" / "demo" / "research.carnet.zip").unlink()
    path = tmp_path / "made" / "churn-telco.carnet.zip"
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, data in members.items():
            if name != "README.html":
                new.writestr(name, data + b" " if name == "verify.py" else data)
    assert builder.differences(CHURN / "built", tmp_path / "made") == [
        "churn-telco.carnet.zip: README.html", "churn-telco.carnet.zip: verify.py", "demo/research.carnet.zip: was not made",
    ]  # fmt: skip


def test_the_story_as_the_record_has_it(finished: Desk) -> None:
    """Both gates are passed; the first after one return; the second with one waiver that ends on 6 June (R007, R013)."""
    first, second = gate(finished, FIRST), gate(finished, SECOND)
    assert (first.status.verdict, second.status.verdict) == ("passed", "passed")
    rows = {finished.project().title(h.opened.model): h.id for h in finished.project().handoffs()}
    assert finished.project().look(rows["churn@1"]).status.verdict == "passed"
    assert first.handoff.round == 2 and len(first.handoff.returns) == 1
    assert second.status.accepted == ("operate.failover",)
    assert finished.project().stage(first.handoff.opened.model) == "production"
    (_, waiver), *more = second.status.waivers
    assert more == [] and 1_780_704_000_000 <= waiver.value.expires < 1_780_790_400_000  # type: ignore[union-attr]
    people = {finished.project().person_name(s.change.person) for row in second.status.rows for s in row.signed}
    assert people == {"Tomasz Wilk", "Aiko Mori", "Ines Duarte", "Grace Lindqvist"}


def test_every_figure_is_a_recorded_one(finished: Desk) -> None:
    """Each run in the record has the metrics of its metrics.json, and the answers refer to them (R029)."""
    project = finished.project()
    runs = {row.name: project.node(row.id) for row in project.entities("run", limit=100)}
    assert sorted(runs) == sorted(["r-001", "r-007", "r-008", *(f"r-{n:03}" for n in range(12, 19))])
    for name, node in runs.items():
        assert node is not None
        found = [(m.name, m.slice, m.value) for m in node.metrics]
        assert found == [(m["name"], m["slice"], m["value"]) for m in recorded(name)["metrics"]]
    value = gate(finished, FIRST).status.item("approach.evaluation").value  # type: ignore[union-attr]
    assert value is not None and value["metric"]["entity"] == runs["r-012"].id  # type: ignore[index, union-attr]


def test_the_return_names_what_the_rerun_found(finished: Desk) -> None:
    """The receiver's re-run is kept with its own output, exit code 1, and the reason of the return quotes it (R045)."""
    look = gate(finished, FIRST)
    changes = finished.project().changes(look.handoff.id)
    answers = [c for c in changes if c.kind == "item.answered" and c.field == "rebuild.receiver_rerun"]
    results = [c.value.answer["result"] for c in sorted(answers, key=lambda c: c.t)]  # type: ignore[union-attr]
    assert [r["exit_code"] for r in results] == [1, 0]
    rerun = recorded("r-008", "rerun.json")
    printed = finished.store.objects.get(results[0]["output"]["sha256"]).decode()
    assert rerun["found"] in printed and rerun["claimed"] in printed and printed.startswith("diverged")
    assert rerun["found"] in look.handoff.returns[0].value.items["rebuild.receiver_rerun"]  # type: ignore[union-attr]
    readbacks = [c for c in changes if c.kind == "readback.confirmed"]
    assert [c.value.agree for c in sorted(readbacks, key=lambda c: c.t)] == [False, True]  # type: ignore[union-attr]


def test_the_contract_differs_by_one_line(finished: Desk) -> None:
    """Both versions of the contract are held as bytes; the edit of 14 April is one line (R088)."""
    project = finished.project()
    texts = []
    for row in sorted(project.entities("document", text="feature contract"), key=lambda r: r.version):
        node = project.node(row.id)
        assert node is not None
        texts.append(finished.store.objects.get(node.digests["sha256"]).decode().splitlines())
    assert texts[0] == (CHURN / "project" / "features_contract.json").read_text(encoding="utf-8").splitlines()
    changed = [(a, b) for a, b in zip(*texts, strict=True) if a != b]
    assert len(changed) == 1 and "zero_if_tenure_zero" in changed[0][1]


def test_an_auditor_needs_no_carnet(tmp_path: Path) -> None:
    """The bundle's own script, alone, verifies the finished story against the ledger id, and refuses another id (R111)."""
    with zipfile.ZipFile(FINISHED) as opened:
        (tmp_path / "verify.py").write_bytes(opened.read("verify.py"))
    for trust, code in ((LEDGER, 0), ("0" * 64, 5)):
        done = subprocess.run(
            [sys.executable, "-I", tmp_path / "verify.py", FINISHED, "--trust", trust], capture_output=True, check=False
        )
        assert done.returncode == code, done.stdout.decode()
    assert Path(verify.__file__).is_file()
