"""What Carnet reads of other tools: one file an importer, one line in `IMPORTERS`, one page in `docs/importers`.

`things.py` says what an importer yields; `exchange.capturing` makes a plan of it and writes it.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final, cast

from carnet_store.errors import Usage
from carnet_store.exchange.importers.things import Guess, Importer

IMPORTERS: Final[dict[str, str]] = {
    "mlflow": "MLflow: a database, an mlruns folder, answers of its REST interface",
    "dvc": "DVC and GTO: dvc.yaml, dvc.lock, tracked files, with git's history",
    "git": "git: commits as code snapshots",
    "environment": "lock files and listings of packages",
    "notebook": "notebooks, also as papermill ran them",
    "model-card": "Hugging Face model cards",
    "junit": "test results as JUnit XML",
    "openlineage": "OpenLineage events",
    "wandb": "Weights & Biases offline runs",
}
"""Kind -> what it reads; the module is the kind with `_` for `-`. `guess` asks them in this order."""
OWN: Final[dict[str, frozenset[str]]] = {
    "mlflow": frozenset({"mlflow", "content"}),
    "dvc": frozenset({"dvc", "gto"}),
    "git": frozenset({"git"}),
    "environment": frozenset({"content"}),
    "notebook": frozenset({"notebook", "papermill"}),
    "model-card": frozenset({"card"}),
    "junit": frozenset({"junit"}),
    "openlineage": frozenset({"openlineage"}),
    "wandb": frozenset({"wandb"}),
}
"""The systems of which an importer tells all there is; a thing of another system is only mentioned, and never said over what is known of it."""


def importer(kind: str) -> Importer:
    """Return the importer of a kind.

    Raises:
        Usage: there is none; the hint lists those there are.
    """
    if kind not in IMPORTERS:
        raise Usage(f"there is no importer {kind!r}", f"kinds: {', '.join(IMPORTERS)}")
    return cast("Importer", importlib.import_module(f"{__name__}.{kind.replace('-', '_')}"))


def guesses(path: Path) -> list[Guess]:
    """Return what `path` seems to hold, in the order of `IMPORTERS`."""
    found = (importer(kind).guess(path) for kind in IMPORTERS)
    return [one for one in found if one is not None]
