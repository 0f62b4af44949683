"""The churn sample's scripts, run for real: recorded results come back byte for byte, and the story holds."""

from __future__ import annotations

import csv
import gzip
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).resolve().parents[2] / "sample_projects" / "churn-telco"
PROJECT, RUNS = SAMPLE / "project", SAMPLE / "runs"
Done = subprocess.CompletedProcess[str]


def script(name: str, *arguments: str | Path, hash_seed: str = "0") -> Done:
    command = ["sh"] if name.endswith(".sh") else [sys.executable]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHON": sys.executable, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [*command, name, *map(str, arguments)],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def metric(run: Path, name: str, part: str = "") -> str:
    found = [m for m in load(run / "metrics.json")["metrics"] if m["name"] == name]
    return str(next(m["value"] for m in found if name == "auc_worst_slice" or m["slice"] == part))


def assert_same_run(made: Path, recorded: Path) -> None:
    """Every recorded file equals the one made now; run.json apart from the Python that made it."""
    for path in sorted(recorded.iterdir()):
        if path.name == "run.json":
            ours, theirs = load(made / "run.json"), load(path)
            assert ours.pop("environment") and theirs.pop("environment")
            assert ours == theirs
        else:
            assert (made / path.name).read_bytes() == path.read_bytes(), path.name


def train(run: str, out: Path, hash_seed: str = "0") -> Path:
    done = script(
        "train.py", "--params", f"params/{run}.json", "--data", "data/churn.csv.gz", "--out", out, hash_seed=hash_seed
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release folder of v2, built from the recorded run."""
    folder = tmp_path_factory.mktemp("release") / "v2"
    done = script("deploy/release.py", "build", "--run", RUNS / "r-012", "--version", "2.0.0", "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """The frozen holdout as raw rows of the table."""
    with gzip.open(PROJECT / "data" / "churn.csv.gz", "rt", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    return [table[int(line)] for line in (PROJECT / "data" / "holdout.txt").read_text().split()]


def write_batch(path: Path, rows: list[Mapping[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("run", ["r-001", "r-012"])
def test_a_run_comes_back_byte_for_byte(run: str, tmp_path: Path) -> None:
    """R045: code, data, parameters and seed give the recorded model, predictions and metrics again."""
    assert_same_run(train(run, tmp_path / "out", hash_seed="4"), RUNS / run)


@pytest.mark.slow
def test_the_receivers_rerun_finds_the_leak(tmp_path: Path) -> None:
    """R045: v1 comes back as claimed, and its recipe diverges on the frozen holdout."""
    claimed = train("r-007", tmp_path / "r-007")
    assert_same_run(claimed, RUNS / "r-007")
    done = script("receiver_rerun.py", "--claimed", claimed, "--run", "r-008", "--out", tmp_path / "r-008")
    assert done.returncode == 1
    assert done.stdout.startswith("diverged: r-007 claimed")
    assert_same_run(tmp_path / "r-008", RUNS / "r-008")


def test_the_receivers_rerun_of_v2_is_bitwise(tmp_path: Path) -> None:
    """The receiver needs the recorded claim alone, not the sender's folder."""
    done = script("receiver_rerun.py", "--claimed", RUNS / "r-012", "--run", "r-018", "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert load(tmp_path / "out" / "rerun.json")["verdict"] == "bitwise"
    assert_same_run(tmp_path / "out", RUNS / "r-018")


def test_a_rerun_refuses_a_claim_that_was_edited(tmp_path: Path) -> None:
    shutil.copytree(RUNS / "r-007", tmp_path / "r-007")
    edited = tmp_path / "r-007" / "metrics.json"
    edited.write_text(edited.read_text().replace("0.9056", "0.9156"))
    done = script("receiver_rerun.py", "--claimed", tmp_path / "r-007", "--run", "x", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "metrics.json is not the file that run.json names" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_story_holds() -> None:
    """The leak inflates v1 by several points, v2 meets each criterion, and the five splits agree with it."""
    claimed, found = (float(metric(RUNS / run, "auc")) for run in ("r-007", "r-008"))
    assert claimed > 0.89
    assert found < 0.83
    assert float(metric(RUNS / "r-007", "holdout_rows_also_in_training")) > 0.4
    assert metric(RUNS / "r-012", "holdout_rows_also_in_training") == "0.0000"
    for k in range(13, 18):
        assert abs(float(metric(RUNS / f"r-{k:03}", "auc")) - float(metric(RUNS / "r-012", "auc"))) < 0.03


def test_v2_meets_the_criteria_and_the_baseline_does_not() -> None:
    done = script("evaluate.py", "--run", RUNS / "r-012")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["met"] * 6
    baseline = script("evaluate.py", "--run", RUNS / "r-001")
    assert baseline.returncode == 1
    assert "NOT MET auc 0.7341 >= 0.83" in baseline.stdout


def test_the_readme_tells_the_recorded_figures() -> None:
    """Figures written for people are those of the runs."""
    text = (SAMPLE / "README.md").read_text(encoding="utf-8")
    for run in ("r-001", "r-007", "r-008", "r-012"):
        line = next(line for line in text.splitlines() if line.startswith(f"| {run} "))
        assert metric(RUNS / run, "auc") in line
    seeds = " ".join(metric(RUNS / f"r-{k:03}", "auc").lstrip("0") for k in range(13, 18))
    assert seeds in text
    names = ("auc_worst_slice", "ece", "psi_scores_training_to_holdout", "precision_of_flags", "recall_of_flags")
    for name in (*names, "auc_gain_over_contract_rate", "flagged"):
        assert metric(RUNS / "r-012", name) in text


def test_the_frozen_holdout_is_the_split_of_seed_17(tmp_path: Path) -> None:
    done = script("freeze_holdout.py", "--seed", "17", "--out", tmp_path / "holdout.txt")
    assert done.returncode == 0
    assert (tmp_path / "holdout.txt").read_bytes() == (PROJECT / "data" / "holdout.txt").read_bytes()
    assert script("freeze_holdout.py", "--seed", "18", "--out", tmp_path / "holdout.txt").returncode == 2


def test_the_licence_note_names_the_files_by_digest() -> None:
    note = (PROJECT / "data" / "LICENCE.md").read_text(encoding="utf-8")
    inputs = load(RUNS / "r-012" / "run.json")["inputs"]
    assert set(re.findall(r"[0-9a-f]{64}", note)) == {inputs["data/churn.csv.gz"], inputs["data/holdout.txt"]}


def test_serving_gives_the_research_predictions(release: Path, tmp_path: Path) -> None:
    """R097: the reference rows over HTTP against the predictions of the package, and a wrong model is noticed."""
    done = script("parity.py", "--run", RUNS / "r-012", "--package", release, "--out", tmp_path / "parity.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "parity.json").read_bytes() == (RUNS / "parity" / "parity.json").read_bytes()
    other = tmp_path / "other"
    shutil.copytree(release, other)
    shutil.copyfile(RUNS / "r-001" / "model.json", other / "model.json")
    assert script("parity.py", "--run", RUNS / "r-012", "--package", other).returncode == 1


def test_the_service_answers_bad_requests_in_words(release: Path) -> None:
    """A refused row, a body that is not JSON, one too large and an unknown path, each with its own status."""
    command = [sys.executable, "-B", "serve.py", "--package", str(release), "--port", "0"]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().rsplit(":", 1)[1])

            def ask(method: str, path: str, body: str | None = None, length: str | None = None) -> tuple[int, Any]:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request(method, path, body, {"Content-Length": length} if length else {})
                answer = connection.getresponse()
                content = json.loads(answer.read())
                connection.close()
                return answer.status, content

            digest = load(RUNS / "r-012" / "run.json")["outputs"]["model.json"]
            assert ask("GET", "/health") == (200, {"model": digest})
            assert ask("GET", "/")[0] == 404
            assert ask("POST", "/score", "{")[0] == 400
            assert ask("POST", "/score", "[" * 100_000)[0] == 400
            assert ask("POST", "/score", length="99999999")[0] == 413
            assert ask("POST", "/score", '{"rows": [{"tenure": 3}]}') == (422, {"error": "row 0: female: missing"})
        finally:
            server.terminate()


def test_a_row_outside_the_contract_is_refused_by_name(
    release: Path, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    """R051: a null, a word for a number and an unknown category name the row, the feature and the rule."""
    for name, value, said in (
        ("tenure", "", "row 1: tenure: null, and the contract's rule is refuse"),
        ("monthly_charges", "much", "row 1: monthly_charges: 'much' is not a number"),
        ("monthly_charges", "nan", "row 1: monthly_charges: not a finite number"),
        ("contract", "Weekly", "row 1: contract: 'Weekly' is not one of the contract's values"),
    ):
        batch = write_batch(tmp_path / "batch.csv", [rows[0], {**rows[1], name: value}])
        reference = RUNS / "r-012" / "predictions.csv"
        done = script("monitoring/check_batch.py", "--package", release, "--reference", reference, "--batch", batch)
        assert (done.returncode, done.stderr) == (2, f"refused: {said}\n")


def test_the_monitor_sees_days_sent_as_months(release: Path, rows: list[dict[str, str]], tmp_path: Path) -> None:
    """The plan's own claim: the same customers raise no alarm, with tenure in days they do."""
    days = [{**row, "tenure": str(round(int(row["tenure"]) * 30.4))} for row in rows]
    said = []
    for name, batch, code in (("same", rows, 0), ("days", days, 1)):
        path = write_batch(tmp_path / f"{name}.csv", list(batch))
        reference = RUNS / "r-012" / "predictions.csv"
        done = script("monitoring/check_batch.py", "--package", release, "--reference", reference, "--batch", path)
        assert done.returncode == code, done.stderr
        said.append(re.findall(r"psi ([0-9.]+) .*flagged (\d+)", done.stdout)[0])
    assert said == [("0.0000", "401"), ("1.2468", "15")]
    plan = (PROJECT / "monitoring" / "plan.md").read_text(encoding="utf-8")
    assert all(figure in plan for pair in said for figure in pair)


def test_the_null_rule_can_be_narrowed_without_moving_a_score(release: Path, tmp_path: Path) -> None:
    """One line of the contract may change: a null total is zero only in the first month."""
    narrowed = tmp_path / "narrowed"
    shutil.copytree(release, narrowed)
    path = narrowed / "features_contract.json"
    text = path.read_text(encoding="utf-8")
    assert text.count('"nulls": "zero"') == 1
    path.write_text(text.replace('"nulls": "zero"', '"nulls": "zero_if_tenure_zero"'), encoding="utf-8")
    done = script("parity.py", "--run", RUNS / "r-012", "--package", narrowed)
    assert (done.returncode, done.stdout) == (0, "1760 rows, 0 missing, max difference 0.000000000\n")
    assert script("deploy/release.py", "check", narrowed).returncode == 1


def test_deploy_and_roll_back(release: Path, tmp_path: Path) -> None:
    """R104, R066: a dry run changes nothing; two releases in turn; back to the first; a damaged one is not deployed."""
    root, first = tmp_path / "root", tmp_path / "v1"
    script("deploy/release.py", "build", "--run", RUNS / "r-001", "--version", "1.0.0", "--out", first)

    def deploy(package: Path, *more: str) -> Done:
        return script("deploy/deploy.sh", *more, "--env", "staging", "--package", package, "--root", root)

    def rollback(*more: str) -> Done:
        return script("deploy/rollback.sh", *more, "--env", "staging", "--root", root)

    def serving() -> str:
        return str(load(root / "staging" / "current" / "release.json")["version"])

    dry = deploy(release, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    digest = load(RUNS / "r-012" / "run.json")["outputs"]["model.json"][:12]
    assert f"target: churn-telco 2.0.0 model {digest} (staging)" in dry.stdout
    assert not root.exists()
    assert deploy(first).returncode == 0
    assert rollback().returncode == 1  # nothing before the first
    assert deploy(release).returncode == 0
    assert serving() == "2.0.0"
    assert "nothing to do" in deploy(release).stdout
    assert rollback("--dry-run").returncode == 0
    assert serving() == "2.0.0"
    assert rollback().returncode == 0
    assert serving() == "1.0.0"
    damaged = tmp_path / "damaged"
    shutil.copytree(release, damaged)
    (damaged / "model.json").write_bytes((damaged / "model.json").read_bytes() + b" ")
    done = deploy(damaged)
    assert done.returncode == 1
    assert "model.json: not the file that release.json names" in done.stderr
    assert serving() == "1.0.0"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("params", "{", "not JSON"),
        ("params", '{"run": "x"}', "needs exactly"),
        (
            "params",
            '{"run": "x", "title": "", "model": "boosted-trees", "seed": 1, "holdout": "own", "oversample": "none",'
            ' "settings": {"trees": 3}}',
            "settings must be",
        ),
        ("data", "churn,female\nYes,1\n", "row 0: senior_citizen: missing"),
    ],
)
def test_bad_input_is_refused_in_words(name: str, content: str, said: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(content)
    files = {"params": PROJECT / "params" / "r-012.json", "data": PROJECT / "data" / "churn.csv.gz", name: bad}
    done = script("train.py", "--params", files["params"], "--data", files["data"], "--out", tmp_path / "out")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_folder_stays_small() -> None:
    """The wheel carries it."""
    files = [p for p in SAMPLE.rglob("*") if p.is_file() and not any(part.startswith((".", "__")) for part in p.parts)]
    assert sum(path.stat().st_size for path in files) < 1_800_000
