"""What the readers of MLflow hand on: rows in MLflow's own words, whether they stood in a database, in files or in answers of a server.

Rules: everything is bounded; what does not fit or is of the wrong type is counted by its reason and told once for each thing; no row knows what
Carnet will make of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from carnet_store.exchange.importers.files import MIB, short, sound
from carnet_store.exchange.importers.things import Unread

MAX_TEXT: Final = MIB
"""Characters of one parameter or tag."""
MAX_TEXTS: Final = 16 * MIB
"""Characters of all parameters (or tags) of one thing."""
MAX_HISTORY: Final = 64 * MIB
"""Bytes of the metric history of one run."""
MAX_INT: Final = 2**53
LARGEST: Final = 1.7976931348623157e308
"""What a database holds where an infinity was logged."""

RUN_STATUS: Final = {"1": "RUNNING", "2": "SCHEDULED", "3": "FINISHED", "4": "FAILED", "5": "KILLED"}
MODEL_STATUS: Final = {"1": "PENDING", "2": "READY", "3": "FAILED"}
CONTEXT: Final = "mlflow.data.context"
IS_PROMPT: Final = "mlflow.prompt.is_prompt"
_SPECIAL: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_WHOLE: Final = re.compile(r"-?[0-9]{1,16}")


class Problems:
    """What could not be read of one thing, by reason: how often, and the first that it happened to."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str]] = {}

    def note(self, why: str, what: str = "") -> None:
        """Count a reason; `what` names the parameter, tag or field."""
        count, first = self._found.get(why, (0, what))
        self._found[why] = (count + 1, first)

    def take(self, where: str) -> list[Unread]:
        """Return the reasons, and forget them."""
        found, self._found = self._found, {}
        return [Unread(where, _told(why, count, first)) for why, (count, first) in found.items()]


def _told(why: str, count: int, first: str) -> str:
    named = f"{short(first, 80)!a}" if first else ""
    if count == 1:
        return f"{why}: {named}" if named else why
    return f"{why}: {count:,} times, first {named}" if named else f"{why}: {count:,} times"


class Texts(dict[str, str]):
    """Named texts of one thing (`what`: parameters, tags), bounded; what is not taken is noted."""

    def __init__(self, problems: Problems, what: str) -> None:
        super().__init__()
        self._problems, self._what, self._size = problems, what, 0

    def put(self, name: str, value: str) -> None:
        """Take a text, or note why not."""
        size = len(name) + len(value)
        if size > MAX_TEXT:
            self._problems.note(f"{self._what} of more than {MAX_TEXT:,} characters are not taken", name)
        elif self._size + size > MAX_TEXTS:
            self._problems.note(f"more than {MAX_TEXTS:,} characters of {self._what}; the rest is not taken", name)
        else:
            if name in self:
                self._problems.note(f"{self._what} that stand twice; the last one counts", name)
            self._size += size
            self[name] = value


class History:
    """The points of a run's metrics as JSON lines, in the order of the source, and the newest of each where that is wanted."""

    def __init__(self, problems: Problems, *, newest: bool = True) -> None:
        self._problems, self._lines, self._size = problems, list[str](), 0
        self._names: dict[str, str] = {}
        self._wanted = newest
        self.newest: dict[str, tuple[int, int, float]] = {}

    def add(self, name: str, step: int, t: int, value: float) -> None:
        """Add a point; `t` in ms since 1970."""
        if self._wanted:
            old = self.newest.get(name)
            if old is None or (step, t, value) > old:
                self.newest[name] = (step, t, value)
        if (quoted := self._names.get(name)) is None:
            quoted = self._names[name] = json.dumps(sound(name), ensure_ascii=False)
        text = repr(value)
        line = f'{{"name":{quoted},"step":{step},"t":{t},"value":"{_SPECIAL.get(text, text)}"}}\n'
        self._size += len(line)
        if self._size > MAX_HISTORY:
            self._problems.note(f"a metric history of more than {MAX_HISTORY // MIB} MiB; the rest is not taken", name)
            return
        self._lines.append(line)

    def data(self) -> bytes:
        """Return the lines, UTF-8; nothing where there is no point."""
        return "".join(self._lines).encode()


class Use(NamedTuple):
    """A dataset that a run used; `tags` of the use, its context among them."""

    name: str
    digest: str
    tags: dict[str, str]


class Point(NamedTuple):
    """A metric of a model; on which dataset it was measured, where that is said."""

    name: str
    value: float
    step: int
    t: int
    dataset: str = ""
    digest: str = ""


@dataclass(slots=True)
class RunRow:
    """A run. `used` and `made` are ids of logged models; `newest` maps metrics to value and step."""

    id: str
    where: str
    problems: Problems
    name: str = ""
    experiment: str = ""
    experiment_id: str = ""
    workspace: str = ""
    status: str = ""
    lifecycle: str = "active"
    user: str = ""
    source_name: str = ""
    source_version: str = ""
    started: int = 0
    ended: int = 0
    uri: str = ""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    newest: dict[str, tuple[float, int]] = field(default_factory=dict)
    history: History | None = None
    data: list[Use] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)


@dataclass(slots=True)
class DatasetRow:
    """A dataset as an experiment has it; `source`, `schema` and `profile` are JSON texts."""

    name: str
    digest: str
    where: str
    problems: Problems
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""


@dataclass(slots=True)
class ModelRow:
    """A logged model (`m-…`) of 3.x."""

    id: str
    where: str
    problems: Problems
    name: str = ""
    experiment: str = ""
    experiment_id: str = ""
    run: str = ""
    status: str = ""
    lifecycle: str = "active"
    type: str = ""
    uri: str = ""
    created: int = 0
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)


@dataclass(slots=True)
class VersionRow:
    """A registered version of a model, or of a prompt (tag `mlflow.prompt.is_prompt`)."""

    name: str
    version: str
    where: str
    problems: Problems
    created: int = 0
    workspace: str = ""
    description: str = ""
    user: str = ""
    stage: str = ""
    status: str = ""
    source: str = ""
    uri: str = ""
    run: str = ""
    model: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: list[str] = field(default_factory=list)
    model_description: str = ""
    model_tags: dict[str, str] = field(default_factory=dict)

    @property
    def prompt(self) -> bool:
        """Whether it is a prompt and no model."""
        return IS_PROMPT in self.tags or IS_PROMPT in self.model_tags


Row = RunRow | DatasetRow | ModelRow | VersionRow


class Glance(NamedTuple):
    """What `guess` says of a store: how many runs (`more`: at least) and other things, and the newest run in words."""

    runs: int
    others: int = 0
    newest: str = ""
    more: bool = False


def newest_words(name: str, metric: str = "", value: float | None = None) -> str:
    """Return a run in a few words: `k=5 acc 0.98`."""
    return " ".join(
        part for part in (short(name, 40), short(metric, 30), "" if value is None else f"{value:.4g}") if part
    )


def whole(value: object, problems: Problems, what: str) -> int:
    """Return a whole number of a source, given as one or as text; 0 for nothing, and for what is none, which is noted."""
    if value is None or value == "":
        return 0
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_INT:
        return value
    problems.note("a field that should be a whole number is none", what)
    return 0


def moment(value: object, problems: Problems, what: str) -> int:
    """Return a time in ms since 1970; 0 for none, and for what can be none, which is noted."""
    found = whole(value, problems, what)
    if found < 0:
        problems.note("a time before 1970", what)
        return 0
    return found


def number(value: object) -> float | None:
    """Return a metric's value: a number, or text of one as files and answers have it (`nan`, `-inf`, `"NaN"`); None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None


def unbounded(value: float) -> float:
    """Return an infinity where a database holds the largest number in its place."""
    return value * 2 if abs(value) == LARGEST else value


def latest(points: Iterable[Point]) -> list[Point]:
    """Return the newest point of each metric and dataset, by step, then by time, sorted by name."""
    found: dict[tuple[str, str, str], Point] = {}
    for point in points:
        key = (point.name, point.dataset, point.digest)
        if key not in found or (point.step, point.t) >= (found[key].step, found[key].t):
            found[key] = point
    return [found[key] for key in sorted(found)]


def parsed(text: str) -> Any:
    """Return what a JSON text of a source holds, None where it is none."""
    try:
        return json.loads(text) if text and len(text) <= MAX_TEXT else None
    except (ValueError, RecursionError):
        return None
