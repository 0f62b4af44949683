"""Build the samples: play each story into new stores, export what the replicas hold, compare with what is kept.

    python sample_projects/build.py             make churn-telco/built anew
    python sample_projects/build.py --check     make it elsewhere and compare member by member; exit 1 where it differs

Everything is the same at each build: keys, salts and the clock come from code. Scripts of the sample run for real, and must print and measure
what `runs/` has recorded.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
CHURN = HERE / "churn-telco"
RERUNS = {"r-008": "r-007", "r-018": "r-012"}


def story_of(sample: Path) -> ModuleType:
    """Import a sample's story as a package of its own name."""
    name = f"{sample.name.replace('-', '_')}_story"
    if name not in sys.modules:
        if str(HERE) not in sys.path:
            sys.path.insert(0, str(HERE))
        spec = importlib.util.spec_from_file_location(
            name, sample / "story" / "__init__.py", submodule_search_locations=[str(sample / "story")]
        )
        if spec is None or spec.loader is None:
            raise FileNotFoundError(f"{sample} has no story")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def run(folder: Path, *command: str | Path) -> tuple[int, bytes]:
    """Run one of the sample's scripts in its folder; return exit code and what it printed.

    Raises:
        RuntimeError: it could not do its work (exit code above 1).
    """
    words = [sys.executable, "-B", *command] if str(command[0]).endswith(".py") else list(command)
    environment = {
        "PYTHON": sys.executable,
        "PATH": "/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }
    done = subprocess.run(list(map(str, words)), cwd=folder, env=environment, capture_output=True, check=False)
    if done.returncode > 1:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.decode(errors='replace').strip()}")
    return done.returncode, done.stdout


def outputs(work: Path) -> dict[str, bytes]:
    """Run the scripts whose output the story holds, for real; return what they printed by step.

    Raises:
        RuntimeError: a re-run found something else than what is recorded under `runs/`.
    """
    project, runs = CHURN / "project", CHURN / "runs"
    found: dict[str, bytes] = {}
    for name, claimed in RERUNS.items():
        code, printed = run(
            project, "receiver_rerun.py", "--claimed", runs / claimed, "--run", name, "--out", work / name
        )
        for part in ("rerun.json", "metrics.json"):
            if (work / name / part).read_bytes() != (runs / name / part).read_bytes():
                raise RuntimeError(f"{name}: the re-run made another {part} than the recorded one")
        if (code, name) not in ((1, "r-008"), (0, "r-018")):
            raise RuntimeError(f"{name}: the re-run ended with {code}")
        found[name] = printed
    code, found["fallback"] = run(
        project, "receiver_rerun.py", "--claimed", runs / "r-001", "--run", "again", "--out", work / "again"
    )
    if code != 0:
        raise RuntimeError("r-001 does not come back")
    for version, name in (("1.0.0", "r-001"), ("2.0.0", "r-012")):
        run(project, "deploy/release.py", "build", "--run", runs / name, "--version", version, "--out", work / version)
    for step, line in {
        "deploy": ("sh", "deploy/deploy.sh", "--dry-run", "--env", "staging", "--package", work / "2.0.0", "--root", work / "root"),
        "previous": (work / "1.0.0" / "serve.py", "--package", work / "1.0.0", "--smoke"),
    }.items():  # fmt: skip
        code, printed = run(project, *line)
        if code != 0:
            raise RuntimeError(f"{step} ended with {code}")
        found[step] = printed
    return found


def build(out: Path, work: Path) -> None:
    """Play the stories and write their bundles under `out`, which must not exist."""
    work.mkdir(parents=True, exist_ok=True)
    printed = outputs(work)
    churn = story_of(CHURN)
    story = churn.tell(work / "churn", printed.__getitem__)
    (out / "demo").mkdir(parents=True)
    for team in story.teams:
        _export(team, next(iter(team.people)), out / "demo" / f"{team.team}.carnet.zip")
    churn.finish(story)
    _export(story.operations, "Aiko", out / "churn-telco.carnet.zip")
    story.close()


def _export(team: Any, who: str, path: Path) -> None:
    team.desk.become(team.identities[who])
    team.desk.export(team.project, path)


def bundles(folder: Path) -> tuple[str, ...]:
    """Return the bundles under a folder, by relative path."""
    return tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.carnet.zip")))


def differences(kept: Path, made: Path) -> list[str]:
    """Return what differs between two folders of bundles, member by member."""
    found = []
    for name in sorted({*bundles(kept), *bundles(made)}):
        if name not in bundles(kept) or name not in bundles(made):
            found.append(f"{name}: {'is not kept' if name not in bundles(kept) else 'was not made'}")
            continue
        with zipfile.ZipFile(kept / name) as ours, zipfile.ZipFile(made / name) as theirs:
            before, after = set(ours.namelist()), set(theirs.namelist())
            for member in sorted({*before, *after}):
                same = member in before and member in after and ours.read(member) == theirs.read(member)
                if not same:
                    found.append(f"{name}: {member}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Build the samples' bundles.")
    parser.add_argument("--check", action="store_true", help="compare with what is kept instead of replacing it")
    options = parser.parse_args(arguments)
    kept = CHURN / "built"
    with tempfile.TemporaryDirectory(prefix="carnet-samples-") as folder:
        made = Path(folder) / "built"
        build(made, Path(folder) / "work")
        if options.check:
            found = differences(kept, made)
            for line in found:
                print(f"differs: {line}")
            print(f"{len(bundles(made))} bundles, {len(found)} members differ" + (": run build.py" if found else ""))
            return 1 if found else 0
        if kept.exists():
            shutil.rmtree(kept)
        shutil.copytree(made, kept)
    for name in bundles(kept):
        print(f"{name}  {(kept / name).stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
