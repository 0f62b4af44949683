"""Make the recorded results of `runs/` by running the project's scripts for real, in the order of the story.

    python record_runs.py --out DIR [--only r-001 r-012 parity]

`runs/` is the output of this script. Models and predictions over 40 kB are left out of it (KEPT says which files
stay); their digests stand in run.json, and this script makes them again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
TRAINED = ("r-001", "r-007", "r-012", "r-013", "r-014", "r-015", "r-016", "r-017")
RERUN = {"r-008": "r-007", "r-018": "r-012"}  # the receiver's run: the run it repeats
STEPS = ("r-001", "r-007", "r-008", "r-012", "r-013", "r-014", "r-015", "r-016", "r-017", "r-018", "parity")
ALWAYS_KEPT = ("run.json", "metrics.json", "rerun.json", "parity.json")
KEPT = {"r-001": ("model.json",), "r-012": ("model.json", "predictions.csv")}
DIVERGED = 1  # the receiver's re-run was made, and did not find what was claimed


def script(name: str, *arguments: str | Path) -> None:
    """Run one of the project's scripts in its folder. Raises RuntimeError when it failed."""
    command = [sys.executable, "-B", name, *map(str, arguments)]
    done = subprocess.run(command, cwd=HERE / "project", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0 and (name, done.returncode) != ("receiver_rerun.py", DIVERGED):
        raise RuntimeError(f"{name}: {done.stderr.strip()}")


def record(step: str, out: Path) -> Path:
    """Make one step's folder under `out`, whole: nothing is left out yet. Later steps need the earlier folders."""
    folder = out / step
    if step in TRAINED:
        script("train.py", "--params", f"params/{step}.json", "--out", folder)
    elif step in RERUN:
        script("receiver_rerun.py", "--claimed", out / RERUN[step], "--run", step, "--out", folder)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        release = folder / "release"
        script("deploy/release.py", "build", "--run", out / "r-012", "--version", "2.0.0", "--out", release)
        script("parity.py", "--run", out / "r-012", "--package", release, "--out", folder / "parity.json")
        for path in release.iterdir():
            path.unlink()
        release.rmdir()
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: record the steps, then leave out what is too large to keep."""
    parser = argparse.ArgumentParser(description="Record the runs of the sample.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=STEPS, default=STEPS)
    options = parser.parse_args(arguments)
    out = options.out.resolve()
    folders = {step: record(step, out) for step in STEPS if step in options.only}
    for step, folder in folders.items():
        for path in folder.iterdir():
            if path.name not in (*ALWAYS_KEPT, *KEPT.get(step, ())):
                path.unlink()
        print(f"{step}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
