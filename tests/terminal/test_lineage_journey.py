"""The lineage by keys alone in a real terminal: found, marked, the ways between, what a change would touch, recalled and lifted."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SIZES = ((80, 24), pytest.param((160, 48), marks=pytest.mark.thorough))
SETTING = (
    ("identity", "new", "Ana", "--mail", "ana@example.org"),
    ("init", "--project", "churn"),
    ("add", "dataset", "telco", "--source", "https://example.org/telco", "--owner", "Farid", "--digest", "sha256=" + "a" * 64),
    ("add", "run", "r-007", "--command", "python train.py", "--used", "telco", "--param", "lr=0.1", "--metric", "auc=0.81:holdout"),
    ("add", "run", "r-012", "--command", "python train.py", "--used", "telco", "--param", "lr=0.6", "--metric", "auc=0.84:holdout"),
    ("add", "model", "churn@6", "--made-by", "r-007"),
    ("add", "model", "churn@7", "--made-by", "r-012"),
    ("handoff", "open", "churn@7"),
)  # fmt: skip


def _journey() -> ModuleType:
    spec = importlib.util.spec_from_file_location("journey", Path(__file__).with_name("test_journey.py"))
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_where_it_comes_from_and_what_it_touches(
    spawn: Callable[..., Any], tmp_path: Path, size: tuple[int, int]
) -> None:
    """From a model version to its data, why, what differs from the last one, what a change would touch; a recall, and its end."""
    journey = _journey()
    env = {"CARNET_CONFIG": str(tmp_path / "keys"), "HOME": str(tmp_path)}
    for words in SETTING:
        done = journey.carnet(tmp_path, *words, env=env)
        assert done.returncode == 0, done.stderr
    command = [sys.executable, "-m", "carnet_tui"]
    me = journey.Person(spawn(command, cols=size[0], rows=size[1], cwd=tmp_path, env=env))
    me.press("3")
    me.see("Focus  Tree  List  Overview")
    me.press("/")
    me.press("churn@7", "enter")
    me.see("model churn@7", "r-012")
    me.press("m", "/")
    me.press("telco", "enter")
    me.see("dataset telco", "r-007")
    me.press("b")
    me.see("why", "r-012")
    me.press("escape", "i")
    me.see("impact", "churn@7")
    me.press("escape", "tab")
    me.see("CAME OF IT")
    me.press("tab", "tab", "tab", "!")
    me.see("Recall")
    me.press("ages of minors were exported", "ctrl+d")
    me.see("first four characters")
    digest = re.search(r"\b([0-9a-f]{4}) [0-9a-f]{4}", me.text)
    assert digest is not None, me.text
    me.press(digest[1], "enter")
    me.see("recalled dataset telco")
    assert journey.carnet(tmp_path, "gate", "churn@7", env=env).returncode == 3
    assert "telco" in journey.carnet(tmp_path, "recall", env=env).stdout
    me.leave()
