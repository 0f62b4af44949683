"""Weights & Biases runs as they lie on a disk: offline runs, and the local half of others. W&B itself is neither needed nor asked.

Rules:
- A run is known by `project/run id`, with the entity before it where the file names one (an offline run does not know its own).
- Metrics are the numbers of the summary; the history is kept whole as JSON lines. What W&B adds by itself (`_step`, `_wandb` ...) is no metric.
- Settings are never read: they hold keys. Text under a secret's name in the configuration or on the command line is not taken.
- Parts of one run in several folders (it was resumed) make one run. A torn file gives what it holds up to there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from carnet_store.errors import Invalid
from carnet_store.exchange.importers.things import Guess, Ref, Source, Thing, Unread
from carnet_store.exchange.importers.wandb_log import Record, Torn, records
from carnet_store.exchange.importers.wandb_run import SYSTEM, Run


def guess(path: Path) -> Guess | None:
    """Say how many runs a file or folder holds and which is the newest; None where it holds none."""
    try:
        files = _files(path)
    except OSError:
        return None
    if not files:
        return None
    run = _first_named(files[-1])
    count = len({file.name for file in files})
    newest = f", newest {run.project}/{run.title}" if run.id else "; the newest does not say which it is"
    return Guess(SYSTEM, f"W&B, {count:,} run{'s' if count != 1 else ''}{newest}", count)


def _first_named(file: Path) -> Run:
    """Return the run of a file as far as its first records tell it; nameless where they cannot be read, which `read` says."""
    run = Run(file.name)
    try:
        for found in itertools.islice(records(file), 40):
            if isinstance(found, Record):
                run.add(found)
            if run.id:
                break
    except (OSError, Invalid):
        pass
    return run


def read(source: Source) -> Iterator[Thing | Unread]:
    """Yield code and runs, oldest folder first, then the artifacts of all of them.

    Raises:
        Invalid: there is no `.wandb` file, or the one that was named cannot be read at all.
    """
    path = source.path
    try:
        files = _files(path)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from None
    if not files:
        raise Invalid(
            f"{path} holds no W&B run",
            "name a .wandb file, an offline-run-* or run-* folder, or the wandb folder they lie in",
        )
    artifacts: dict[Ref, Thing] = {}
    codes: set[str] = set()
    parts: dict[str, list[Path]] = {}
    for file in files:
        parts.setdefault(file.name, []).append(file)
    for group in parts.values():
        for run in _runs(group, alone=path.is_file()):
            if isinstance(run, Unread):
                yield run
                continue
            if run.has_commit and run.commit not in codes:
                codes.add(run.commit)
                yield run.code()
            yield run.thing()
            yield from run.unread()
            for thing in run.artifacts:
                _join(artifacts, thing)
    yield from artifacts.values()


def _files(path: Path) -> list[Path]:
    """Return the `.wandb` files of a path: itself, in it, in the run folders in it or in its `wandb` folder; oldest first, no links."""
    if path.is_file():
        return [path] if path.suffix == ".wandb" else []
    folders = [path] if path.is_dir() else []
    for parent in (path, path / "wandb"):
        if parent.is_dir():
            folders += [
                f
                for f in parent.iterdir()
                if re.match(r"(offline-)?run-", f.name) and f.is_dir() and not f.is_symlink()
            ]
    found = {file for folder in folders for file in folder.glob("*.wandb") if file.is_file() and not file.is_symlink()}
    return sorted(found, key=lambda file: (file.parent.name.removeprefix("offline-"), str(file)))


def _runs(files: Iterable[Path], *, alone: bool) -> Iterator[Run | Unread]:
    """Yield the run of these files, which are parts of one unless they say otherwise."""
    run: Run | None = None
    named = False
    for file in files:
        part = Run(file.name) if run is None else run.resumed(file.name)
        try:
            for found in records(file):
                if isinstance(found, Torn):
                    named = True
                    yield Unread(file.name, f"bytes {found.start:,} to {found.end:,} cannot be read: {found.why}")
                    continue
                other = part.add(found)
                if other is not None:
                    yield part
                    part = other
        except Invalid as error:
            if alone:
                raise
            named = True
            yield Unread(file.name, error.message)
        except OSError as error:
            named = True
            yield Unread(file.name, f"it cannot be read: {error.strerror}")
        run = part
    if run is not None and run.id:
        yield run
    elif run is not None and run.records:
        yield Unread(run.file, "it is torn off before the run says its name")
    elif run is not None and not named:
        yield Unread(run.file, "it holds no record: the run ended before it wrote one")


def _join(artifacts: dict[Ref, Thing], thing: Thing) -> None:
    """Keep each artifact once: what a later run says of it is added, its names are collected."""
    known = artifacts.setdefault(thing.ref, thing)
    if known is not thing:
        lists = {
            name: list(dict.fromkeys([*known.attrs.get(name, []), *thing.attrs.get(name, [])]))
            for name in ("aliases", "tags")
        }
        known.attrs = {**known.attrs, **thing.attrs, **{name: found for name, found in lists.items() if found}}
