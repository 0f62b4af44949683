"""Damaged MLflow stores: whatever bytes are changed or cut, what comes out is things, reasons, or one refusal in words."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from carnet_store.core import canonical
from carnet_store.errors import Invalid
from carnet_store.exchange import capturing
from carnet_store.exchange.importers import importer
from carnet_store.exchange.importers.things import Source, Thing

KEPT = (
    "experiments", "runs", "tags", "params", "metrics", "latest_metrics", "datasets", "inputs", "input_tags", "logged_models",
    "logged_model_params", "logged_model_tags", "logged_model_metrics", "registered_models", "registered_model_tags",
    "registered_model_aliases", "model_versions", "model_version_tags",
)  # fmt: skip


def outcome(path: Path) -> str:
    """Read a damaged store: `refused`, `told` (something could not be read) or `whole`; a traceback is a failure of the test."""
    importer("mlflow").guess(path)
    unread = 0
    try:
        for found in importer("mlflow").read(Source(path)):
            if isinstance(found, Thing):
                canonical.encode(dict(capturing._fact(found, []).value))
            else:
                assert found.where and found.why and len(found.why) < 1_000
                unread += 1
    except Invalid as error:
        assert str(error)
        return "refused"
    return "told" if unread else "whole"


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return bytes with some flipped, a piece overwritten, cut out or doubled, or the end cut off."""
    found = bytearray(data)
    at = chance.randrange(len(found))
    size = min(chance.choice((1, 8, 64, 512)), len(found) - at)
    way = chance.randrange(5)
    if way == 0:
        for _ in range(chance.choice((1, 4, 16))):
            found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    elif way == 1:
        found[at : at + size] = chance.randbytes(size)
    elif way == 2:
        del found[at:]
    elif way == 3:
        del found[at : at + size]
    else:
        found[at:at] = found[at : at + size]
    return bytes(found)


@pytest.fixture(scope="module")
def small(real_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The database of the fixtures with no table but those that are read, in small pages."""
    path = Path(shutil.copy(real_tools / "mlflow-sqlite" / "mlflow.db", tmp_path_factory.mktemp("small")))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=OFF")
        db.execute("PRAGMA foreign_keys=OFF")
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if name not in KEPT:
                db.execute(f'DROP TABLE "{name}"')
        db.execute("PRAGMA page_size=1024")
        db.execute("VACUUM")
    return path.read_bytes()


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_database_ends_in_words(small: bytes, tmp_path: Path, part: int) -> None:
    """30 databases in each part, damaged anywhere."""
    outcomes: Counter[str] = Counter()
    path = tmp_path / "mlflow.db"
    for seed in range(part * 30, part * 30 + 30):
        path.write_bytes(damaged(small, random.Random(seed)))
        outcomes[outcome(path)] += 1
    assert outcomes["refused"] and outcomes["told"], "both happen: the damage reaches the head and the tables"


@pytest.mark.parametrize("part", range(2))
def test_a_damaged_file_store_ends_in_words(real_tools: Path, tmp_path: Path, part: int) -> None:
    """40 stores in each part, each with three damaged files among meta.yaml, metrics, parameters and tags."""
    root = tmp_path / "mlruns"
    shutil.copytree(real_tools / "mlflow-filestore" / "mlruns", root)
    metas = sorted(root.rglob("meta.yaml"))
    others = sorted(
        path for name in ("metrics", "params", "tags") for path in root.glob(f"*/*/{name}/*") if path.is_file()
    )
    outcomes: Counter[str] = Counter()
    for seed in range(part * 40, part * 40 + 40):
        chance = random.Random(seed)
        before = {path: path.read_bytes() for path in (*chance.sample(metas, 2), *chance.sample(others, 1))}
        for path, data in before.items():
            path.write_bytes(damaged(data, chance))
        outcomes[outcome(tmp_path)] += 1
        for path, data in before.items():
            path.write_bytes(data)
    assert outcomes["told"] and outcomes["whole"]


def test_damaged_answers_end_in_words(real_tools: Path, tmp_path: Path) -> None:
    """40 folders of saved answers, bytes or values of one answer replaced."""
    folder = Path(shutil.copytree(real_tools / "mlflow-rest", tmp_path / "answers"))
    paths = sorted(folder.glob("*.json"))
    outcomes: Counter[str] = Counter()
    for seed in range(40):
        chance = random.Random(seed)
        path = chance.choice(paths)
        before = path.read_bytes()
        path.write_bytes(
            damaged(before, chance) if seed % 2 else json.dumps(twisted(json.loads(before), chance)).encode()
        )
        outcomes[outcome(folder)] += 1
        path.write_bytes(before)
    assert outcomes["told"]


def twisted(value: object, chance: random.Random) -> object:
    """Return JSON with some values replaced by ones of another type."""
    if chance.random() < 0.03:
        return chance.choice(
            [None, True, -1, 2**70, 0.5, float("inf"), "", "\ud800", "x" * 5_000, [], {}, [[]], {"": {}}]
        )
    if isinstance(value, dict):
        return {key: twisted(inner, chance) for key, inner in value.items()}
    return [twisted(inner, chance) for inner in value] if isinstance(value, list) else value
