"""OpenLineage events: the events of a run are folded into one run, datasets are known by (namespace, name), assertions become checks.

Rules:
- The result depends on which events there are, never on their order, files or repetition: what is newest wins, by eventTime, then by content.
- A terminal state (COMPLETE, FAIL, ABORT) wins over whatever came later and is none. Inputs and outputs are the union over a run's events.
- Numbers in facets stay in the facets: a figure is never taken for a metric by its name. Values of environment variables are not taken.
- Memory: 48 bytes an event, a few hundred a run and a dataset; facets are read again when their run or dataset is yielded.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from carnet_store.errors import Invalid
from carnet_store.exchange.importers.openlineage_fold import (
    COLUMNS,
    SYSTEM,
    Known,
    code_thing,
    commit_of,
    dataset_thing,
    facets_of,
    key_of,
    mentions,
    part,
    run_things,
    text,
)
from carnet_store.exchange.importers.openlineage_log import (
    NAMED,
    SUFFIXES,
    Log,
    Piece,
    decode,
    files_of,
    kind_of,
    pieces,
)
from carnet_store.exchange.importers.things import Guess, Source, Thing, Unread

MOST_VERSIONS: Final = 50
"""Versions of a dataset that are listed, the newest."""
MOST_NAMES: Final = 1_000
"""Jobs of a dataset, and names it had before, that are listed."""
_SAMPLE: Final = 500_000
_ENTRIES: Final = 500
"""So many bytes, and entries of a folder, are looked at for a guess."""


def guess(path: Path) -> Guess | None:
    """Say what the first half megabyte of a file, or of a folder's first files, holds; None where no event is among it."""
    try:
        return _guess(path)
    except (OSError, ValueError):
        return None


def _guess(path: Path) -> Guess | None:
    files = [path] if path.is_file() else []
    more = ""
    if path.is_dir():
        with os.scandir(path) as entries:
            first = list(itertools.islice(entries, _ENTRIES))
            names = sorted(entry.name for entry in first if entry.name.lower().endswith(SUFFIXES))
            more = "over " if len(first) == _ENTRIES else ""
        files = [path / name for name in names if (path / name).is_file()]
    runs: set[str] = set()
    datasets: set[str] = set()
    events = seen = total = 0
    last = ""
    for number, file in enumerate(files):
        total += file.stat().st_size
        if seen > _SAMPLE or (number >= 20 and not events):
            continue
        for piece in pieces(file):
            raw = piece.raw if isinstance(piece, Piece) else b""
            seen += len(raw) + 1
            event = _event(raw)
            if event is not None:
                events += 1
                runs |= {run} if (run := text(part(event, "run").get("runId"))) else set()
                datasets |= {key for _, key, _ in mentions(event)}
                last = text(part(event, "job").get("name")) or last
            if seen > _SAMPLE or (seen > 20_000 and not events):
                break
    if not events:
        return None
    factor = total / seen if seen > _SAMPLE and total > seen else 1.0
    about = more or ("about " if factor > 1 else "")
    words = f"OpenLineage, {about}{round(events * factor):,} events, {round(len(runs) * factor):,} runs"
    return Guess(SYSTEM, words + (f", last {last}" if last else ""), round((len(runs) + len(datasets)) * factor))


def _event(raw: bytes) -> dict[str, Any] | None:
    try:
        event = decode(raw)
    except ValueError:
        return None
    return event if kind_of(event) else None


def read(source: Source) -> Iterator[Thing | Unread]:
    """Yield code, datasets, and runs (each followed by its checks) of a file or a folder, in an order that the events themselves give.

    Raises:
        Invalid: there is no OpenLineage event at all.
    """
    path = source.path
    try:
        files, outside = files_of(path)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from None
    if not files:
        named = ", ".join("*" + suffix for suffix in SUFFIXES)
        raise Invalid(
            f"{path} has no file named {named}" if path.is_dir() else f"there is no file {path}",
            "name a file of OpenLineage events, or a folder that holds such files",
        )
    for link in outside:
        yield Unread(link.name, "a link that leads out of the folder; name the file itself to have it read")
    with Log(files) as log:
        index = _Index(log)
        reasons: list[str] = []
        for found in log.scan():
            if isinstance(found, Unread):
                reasons += [f"{found.where}: {found.why}"] if len(reasons) < 5 else []
                yield found
            else:
                index.add(*found)
        if not sum(log.kinds.values()):
            raise Invalid(
                f"{path} holds no OpenLineage event",
                "an event is a JSON object with eventTime, producer, and run, job or dataset", reasons,
            )  # fmt: skip
        yield from index.unread()
        for commit, repository in sorted(index.codes.items()):
            yield code_thing(commit, repository)
        for key, known in sorted(index.datasets.items()):
            yield from _whole(partial(_dataset, log, known), key)
        for run, numbers in sorted(index.runs.items(), key=lambda one: (min(log.times[n] for n in one[1]), one[0])):
            yield from _whole(partial(run_things, log, run, numbers, index.jobs), run)


def _dataset(log: Log, known: Any) -> list[Thing]:
    return [dataset_thing(log, known)]


def _whole(fold: Callable[[], Iterable[Thing]], name: str) -> Iterator[Thing | Unread]:
    """Yield what one run or dataset gives; where its events changed since they were scanned, that is reported."""
    try:
        yield from fold()
    except Invalid as error:
        yield Unread(name, error.message)


class _Index:
    """What is kept of all events between the scan and the folding: numbers of events, and what cannot be found again by one of them."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.runs: dict[str, list[int]] = {}
        self.jobs: dict[str, dict[str, int]] = {}
        self.datasets: dict[str, Known] = {}
        self.codes: dict[str, str] = {}
        self._unnamed: list[str] = []
        self._unnamed_count = 0

    def add(self, number: int, kind: str, event: dict[str, Any]) -> None:
        """Note an event."""
        job = key_of(event.get("job"))
        if kind == "run":
            self.runs.setdefault(event["run"]["runId"], []).append(number)
            commit, repository = commit_of(facets_of(part(event, "job")))
            if commit:
                known = self.codes.get(commit, "")
                self.codes[commit] = min(known, repository) if known and repository else known or repository
        elif kind == "job":
            newest = self.jobs.setdefault(job, {})
            for name in facets_of(event["job"]):
                newest[name] = max(newest.get(name, number), number, key=self._log.order)
        for role, key, one in mentions(event):
            if key:
                self._dataset(number, key, one, job, role if kind == "job" else "")
                continue
            self._unnamed_count += 1
            if len(self._unnamed) < NAMED:
                self._unnamed.append(self._log.where(number))

    def unread(self) -> Iterator[Unread]:
        """Yield the places where a dataset should be named and is not."""
        for where in self._unnamed:
            yield Unread(where, "a dataset of this event has no namespace or no name")
        more = self._unnamed_count - len(self._unnamed)
        if more:
            yield Unread("datasets", f"{more:,} more have no namespace or no name")

    def _dataset(self, number: int, key: str, one: dict[str, Any], job: str, declared: str) -> None:
        known = self.datasets.get(key)
        if known is None:
            known = self.datasets[key] = Known(key, number)
        known.first = min(known.first, number, key=self._log.order)
        if declared and len(known.jobs) < MOST_NAMES:
            known.jobs.add((job, declared))
        for name, facet in facets_of(one).items():
            slot = (name, job if name == COLUMNS else "")
            known.facets[slot] = max(known.facets.get(slot, number), number, key=self._log.order)
            if name == "version":
                self._version(known.versions, text(facet.get("datasetVersion")), self._log.times[number])
            elif name == "lifecycleStateChange" and facet.get("lifecycleStateChange") == "RENAME":
                before = key_of(facet.get("previousIdentifier"))
                if before and len(known.renamed) < MOST_NAMES:
                    known.renamed.add(before)

    @staticmethod
    def _version(versions: dict[str, int], version: str, time: int) -> None:
        """Keep the newest versions, each with the last time it was seen."""
        if version:
            versions[version] = max(time, versions.get(version, time))
        if len(versions) > MOST_VERSIONS:
            del versions[min(versions, key=lambda one: (versions[one], one))]
