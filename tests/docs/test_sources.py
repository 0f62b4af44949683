"""Every command of the pages about capture, lineage and filling is run, in order, in a folder where what it names lies."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
Prepare = Callable[[Path, Path], list[str]]

TRAIN = """\
import json, pathlib, random
random.seed(17)
pathlib.Path("models").mkdir(exist_ok=True)
pathlib.Path("models/a.bin").write_text(str(random.random()))
pathlib.Path("model.pkl").write_text(str(random.random()))
pathlib.Path("metrics.json").write_text(json.dumps({"holdout": {"auc": 0.84}}))
"""


def _files(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _dvc(tools: Path, here: Path) -> list[str]:
    shutil.copytree(tools / "dvc" / "snapshot", here, dirs_exist_ok=True)
    shutil.copy(tools / "dvc" / "churn.gitbundle", here / "churn.bundle")
    return ["carnet init --project churn"]


def _git(tools: Path, here: Path) -> list[str]:
    _files(here, **{"train.py": TRAIN})
    shutil.copy(tools / "dvc" / "churn.gitbundle", here / "churn.bundle")
    return ["git init -q .", "git add train.py", "git commit -q -m first", "git tag v1", "carnet init --project churn"]


def _environment(tools: Path, here: Path) -> list[str]:
    shutil.copytree(tools / "env", here, dirs_exist_ok=True)
    return ["carnet init --project churn"]


def _junit(tools: Path, here: Path) -> list[str]:
    suite = '<testsuite name="s" tests="1" failures="0"><testcase classname="c" name="n" time="0.1"/></testsuite>'
    _files(
        here,
        **{
            "test_one.py": "def test_it():\n    pass\n",
            "pytest.ini": "[pytest]\n",
            "target__surefire-reports__TEST-a.xml": suite,
        },
    )
    return ["carnet init --project churn"]


def _mlflow(tools: Path, here: Path) -> list[str]:
    shutil.copytree(tools / "mlflow-sqlite", here, dirs_exist_ok=True)
    shutil.copytree(tools / "mlflow-filestore", here / "old")
    return ["carnet init --project churn"]


def _cards(tools: Path, here: Path) -> list[str]:
    (here / "model").mkdir()
    shutil.copy(tools / "model-cards" / "churn.README.md", here / "model" / "README.md")
    return ["carnet init --project churn"]


def _notebooks(tools: Path, here: Path) -> list[str]:
    shutil.copytree(tools / "notebooks", here / "notebooks")
    shutil.copy(tools / "notebooks" / "eda.executed.ipynb", here / "analysis.ipynb")
    return ["carnet init --project churn"]


def _openlineage(tools: Path, here: Path) -> list[str]:
    (here / "lineage").mkdir()
    shutil.copy(tools / "openlineage" / "churn_daily.ndjson", here / "events.ndjson")
    shutil.copy(tools / "openlineage" / "dbt-ol.ndjson", here / "lineage" / "dbt.ndjson")
    return ["carnet init --project churn"]


def _wandb(tools: Path, here: Path) -> list[str]:
    (run,) = (tools / "wandb").glob("offline-run-*")
    shutil.copytree(run, here / "wandb" / "offline-run-20260302_040000-ab12cd34")
    return ["carnet init --project churn"]


def _capture(tools: Path, here: Path) -> list[str]:
    _files(
        here,
        **{
            "train.py": TRAIN,
            "2.py": TRAIN,
            "data__churn.csv": "id,y\n1,0\n",
            "params.yaml": "lr: 0.1\n",
            "Makefile": "train:\n\tpython train.py\n",
        },
    )
    torchrun = here / "bin" / "torchrun"
    _files(here, **{"bin__torchrun": '#!/bin/sh\nexec python train.py "$@"\n'})
    torchrun.chmod(0o755)
    return []


LINEAGE = [
    "carnet init --project churn",
    "carnet add dataset telco --source https://example.org/telco --owner Farid --digest sha256=" + "a" * 64,
    *(
        line
        for run, model, lr in (("r-007", "churn@6", "0.1"), ("r-012", "churn@7", "0.6"))
        for line in (
            f"carnet add run {run} --command 'python train.py' --used telco --param lr={lr} --metric auc=0.84:holdout"
            " --attr experiment=boosting --attr status=finished",
            f"carnet add model {model} --made-by {run}",
        )
    ),
]


def _lineage(tools: Path, here: Path) -> list[str]:
    columns = [
        "carnet describe telco 'schema=customer: string, tenure: int'",
        "carnet add feature features",
        "carnet link features from telco",
    ]
    return [*LINEAGE, *columns]


def _filling(tools: Path, here: Path) -> list[str]:
    return [
        "carnet init --project churn",
        "carnet add dataset telco --source https://example.org/telco --owner Farid --digest sha256=" + "a" * 64,
        "carnet add run r-012 --command 'python train.py' --used telco --param seed=7 --param lr=0.1 --metric auc=0.84:holdout",
        "carnet add model churn@2 --made-by r-012",
    ]


def _recovery(tools: Path, here: Path) -> list[str]:
    return ["carnet init --project churn"]


PAGES: dict[str, Prepare] = {
    "docs/importers/dvc.md": _dvc,
    "docs/importers/environment.md": _environment,
    "docs/importers/git.md": _git,
    "docs/importers/junit.md": _junit,
    "docs/importers/mlflow.md": _mlflow,
    "docs/importers/model-cards.md": _cards,
    "docs/importers/notebooks.md": _notebooks,
    "docs/importers/openlineage.md": _openlineage,
    "docs/importers/wandb.md": _wandb,
    "docs/capture.md": _capture,
    "docs/lineage.md": _lineage,
    "docs/filling.md": _filling,
    "docs/recovery.md": _recovery,
}


def commands(page: str) -> list[str]:
    """The lines of a page's `sh` blocks, comments and blank lines left out."""
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```$", (ROOT / page).read_text("utf-8"))
    lines = [re.sub(r"\s+#.*$", "", line) for block in blocks for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_is_run(page: str, tmp_path: Path, real_tools: Path) -> None:
    """What a page says to type works where what it names lies."""
    here, home = tmp_path / "work", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = Ana Ruiz\nemail = ana@example.org\n[init]\ndefaultBranch = main\n")
    prepared = PAGES[page](real_tools, here)
    env = {
        "HOME": str(home), "PATH": f"{here / 'bin'}:{BIN}:/usr/bin:/bin", "CARNET_CONFIG": str(home / "keys"), "LANG": "C.UTF-8",
        "XDG_DATA_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    told = commands(page)
    assert told
    for line in (*prepared, *told):
        done = subprocess.run(["bash", "-c", line], cwd=here, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{page}: `{line}` ended with {done.returncode}\n{done.stdout}{done.stderr}"


def test_no_page_is_left_out() -> None:
    """Each importer has a page, each page with commands to type is run here or played elsewhere."""
    from carnet_store.exchange.importers import IMPORTERS

    told = {line.split()[2] for page in PAGES for line in commands(page) if line.startswith("carnet capture ")}
    assert set(IMPORTERS) <= told
    pages = {
        str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md") if "```sh\n" in path.read_text("utf-8")
    }
    assert pages - set(PAGES) <= {
        "docs/install-offline.md",
        "docs/recovery.md",
        "docs/tutorial.md",
        "docs/reference/commands.md",
    }
