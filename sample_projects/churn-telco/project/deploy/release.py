"""A release: the files that serve one model, and release.json with their digests.

python release.py build --run ../../runs/r-012 --version 2.0.0 --out DIR
python release.py check DIR          prints name, version and model digest; exit 1 when a file is not the one named
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
SERVED = ("boosting.py", "features.py", "features_contract.json", "serve.py")
NAME = "churn-telco"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(run: Path, version: str, out: Path) -> dict[str, Any]:
    """Copy the served files and the run's model into a new folder; returns the content of release.json."""
    out.mkdir(parents=True)
    for name in SERVED:
        shutil.copyfile(PROJECT / name, out / name)
    shutil.copyfile(run / "model.json", out / "model.json")
    files = {name: _sha256(out / name) for name in sorted((*SERVED, "model.json"))}
    release = {"name": NAME, "version": version, "run": run.resolve().name, "files": files}
    (out / "release.json").write_text(json.dumps(release, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return release


def check(package: Path) -> tuple[str, list[str]]:
    """(one line naming the release, what is wrong with it)."""
    try:
        release = json.loads((package / "release.json").read_text(encoding="utf-8"))
        files = dict(release["files"])
        line = f"{release['name']} {release['version']} model {files['model.json'][:12]}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return "no release", [f"{package / 'release.json'}: {type(error).__name__}: {error}"]
    wrong = []
    for name in sorted({*files, *SERVED, "model.json"}):
        path = package / name
        if name not in files or not path.is_file():
            wrong.append(f"{name}: missing")
        elif _sha256(path) != files[name]:
            wrong.append(f"{name}: not the file that release.json names")
    return line, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Build or check a release folder.")
    commands = parser.add_subparsers(dest="command", required=True)
    builder = commands.add_parser("build")
    builder.add_argument("--run", type=Path, required=True)
    builder.add_argument("--version", required=True)
    builder.add_argument("--out", type=Path, required=True)
    commands.add_parser("check").add_argument("package", type=Path)
    options = parser.parse_args(arguments)
    if options.command == "build":
        try:
            build(options.run, options.version, options.out)
        except OSError as error:
            print(f"refused: {error}", file=sys.stderr)
            return 2
    line, wrong = check(options.out if options.command == "build" else options.package)
    print(line)
    for problem in wrong:
        print(f"wrong: {problem}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
