"""A command, run and watched: which code, data, environment, parameters and seeds it had, what it wrote and measured.

The command begins at once; what there is to know beforehand is read while it runs. Nothing it prints or returns is changed, nothing here
fails it, and what could not be learned becomes a note. The result is plain data: `capture_record` writes it, `capture_secrets` looks through it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from carnet_store.errors import Invalid
from carnet_store.work.capture_child import Child
from carnet_store.work.capture_environment import PROBE, VARIABLE
from carnet_store.work.capture_files import (
    Content,
    Inputs,
    Mark,
    Reading,
    Scene,
    differs,
    file_clock,
    kind_of,
    mark,
    named_in,
)

OWN_WORD: Final = "carnet.json"
"""What a command may write in its folder to say its parameters, metrics and seeds itself."""
KEPT_FILE: Final = 1 << 20
"""Bytes up to which an output is kept where nobody said otherwise; `KEPT_IN_ALL` for all of them together."""
KEPT_IN_ALL: Final = 32 << 20
OUTPUTS_AT_MOST: Final = 100
"""More files than so many, found without being named, are recorded as one list."""
LISTED_AT_MOST: Final = 200
LONG_TEXT: Final = 4_000
PARAMS_AT_MOST: Final = 1_000
PARAMS_TEXT: Final = 150_000
METRICS_AT_MOST: Final = 1_000
NOTES_AT_MOST: Final = 50
HISTORIES: Final = (".csv", ".tsv", ".jsonl", ".ndjson")
"""Tables of metrics, to which a run may append; `HISTORY_AT_MOST` bytes of what one held before are kept in mind."""
HISTORY_AT_MOST: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What to run and what was said about it. Paths are relative to `folder`, where the command runs; `root` is the folder that the store is for."""

    argv: tuple[str, ...]
    folder: Path
    environ: Mapping[str, str]
    name: str = ""
    inputs: tuple[Path, ...] = ()
    outputs: tuple[Path, ...] = ()
    models: tuple[tuple[str, str], ...] = ()
    params: tuple[Path, ...] = ()
    metrics: tuple[Path, ...] = ()
    env: tuple[str, ...] = ()
    keep: bool | None = None
    probe: bool = True
    root: Path | None = None
    private: tuple[Path, ...] = ()
    """Folders of keys: nothing in them is recorded. The user's own is always one."""


@dataclass(slots=True)
class Kept:
    """Bytes to keep in the store: under attribute `name` of its thing (none where it is empty) stands `{path, sha256, size}`."""

    name: str
    path: str
    sha256: str
    size: int
    data: bytes | None = None
    file: Path | None = None


@dataclass(slots=True)
class Thing:
    """Code, environment, data or model beside the run: its place in its source, and whether the run `used` or `made` it (or neither)."""

    kind: str
    key: tuple[str, str]
    name: str
    version: str = ""
    attrs: dict[str, Any] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    relation: str = ""
    origin: tuple[str, str, str] | None = None
    keep: list[Kept] = field(default_factory=list)


@dataclass(slots=True)
class Captured:
    """What a run was. `key` names this run for ever; `code` is what the command ended with; `hash_ms` went into digests.

    `attrs` is JSON without floats; `redacted` counts values that were taken out of it.
    """

    key: str
    name: str
    at: int
    code: int
    status: str
    attrs: dict[str, Any] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)
    keep: list[Kept] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hash_ms: int = 0
    redacted: int = 0


def collect(asked: Asked, clock: Callable[[], int]) -> Captured:
    """Run a command to its end and return what the run was; `clock` gives ms since 1970.

    Raises:
        NotFound: no such command, or a named input is not there; nothing ran. Invalid: an option cannot be read; nothing ran.
    """
    with Run(asked, clock) as run:
        run.prepare()
        return run.finish()


class Run:
    """A command being run. Entering starts it; `prepare` reads while it runs, `finish` waits and returns what the run was."""

    def __init__(self, asked: Asked, clock: Callable[[], int]) -> None:
        """Check what was asked and read what must be read before the start.

        Raises:
            NotFound, Invalid: as `collect`.
        """
        if not asked.argv:
            raise Invalid("there is no command to run", "write one, such as: carnet run -- python train.py")
        self.asked = asked
        self.notes: list[str] = []
        self._params: list[dict[str, str]] = []
        if asked.params:
            from carnet_store.work.capture_values import params_file

            self._params = [params_file(asked.folder / path) for path in asked.params]
        self._models = {_whole(asked.folder, path): _model_of(path, title) for path, title in asked.models}
        self._outputs = [_whole(asked.folder, path) for path in asked.outputs]
        watched = [
            *self._outputs,
            *self._models,
            *(_whole(asked.folder, path) for path in asked.metrics),
            asked.folder / OWN_WORD,
        ]
        self._before: dict[Path, Mark | None] = {path: mark(path) for path in watched}
        tables = [_whole(asked.folder, path) for path in asked.metrics if path.suffix.lower() in HISTORIES]
        self._histories = {path: _history(path) for path in tables}
        self._begun = file_clock()
        self._reading = Reading(asked.folder, asked.root, self.notes)
        named = list(asked.inputs) or named_in(asked.argv, asked.folder)
        self._inputs = Inputs(self._reading, named, self._begun)
        self._report = self._probe_file() if asked.probe else None
        self.child = Child(asked.argv, asked.folder, self._environ())
        self._reading.stop = lambda: self.child.wants_to_go
        self._started = clock()
        self._scene: Scene | None = None
        self._read: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Start the command. Raises NotFound where that cannot be done."""
        try:
            self.child.__enter__()
        except BaseException:
            self._forget_report()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.child.__exit__(kind, error, trace)
        self._forget_report()

    # -- while it runs -------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Read code, machine and the files that are there, while the command runs. May be called once or not at all."""
        from carnet_store.work import capture_code, capture_environment, capture_files

        asked = self.asked
        self._reading.private = tuple(dict.fromkeys((*asked.private, *private_folders(asked.environ))))
        self._read["code"] = capture_code.read_code(asked.folder, self._begun, asked.environ, self._reading.private)
        if not asked.outputs:
            self._scene = capture_files.look(asked.folder)
        self._read["machine"] = capture_environment.machine(asked.environ)

    def read_inputs(self) -> None:
        """Read the large inputs and the installed packages, while the command runs."""
        from carnet_store.work import capture_environment

        if self._report is not None:
            capture_environment.read_packages_early(self._report, self.child.pid)
        self._inputs.finish()

    # -- afterwards ----------------------------------------------------------------------------------------------------

    def finish(self) -> Captured:
        """Wait for the end; return what the run was."""
        from carnet_store.work import capture_assembly

        if "machine" not in self._read:
            self.prepare()
        self.read_inputs()
        ended = self.child.wait()
        return capture_assembly.Assembly(self, ended).captured()

    @property
    def begun(self) -> int:
        """The file system's clock just before the start, ns."""
        return self._begun

    @property
    def started(self) -> int:
        """When it began, ms since 1970."""
        return self._started

    @property
    def reading(self) -> Reading:
        """What reads files, with the time that took."""
        return self._reading

    @property
    def report(self) -> Path | None:
        """Where the probe writes; None where it is switched off or could not be set up."""
        return self._report

    @property
    def scene(self) -> Scene | None:
        """The files that were there; None where outputs are named."""
        return self._scene

    @property
    def read(self) -> Mapping[str, Any]:
        """What `prepare` found: `code` and `machine`."""
        return self._read

    @property
    def models(self) -> Mapping[Path, tuple[str, str]]:
        """The files named as models, with name and version."""
        return self._models

    def outputs(self) -> list[Path]:
        """Return the files and folders named as outputs, models too."""
        return list(dict.fromkeys([*self._outputs, *self._models]))

    def inputs(self) -> list[Content]:
        """Return what was read; where inputs are only guessed from the arguments, without those that the run wrote."""
        if self.asked.inputs:
            return self._inputs.contents()
        wrote = {path for path in self._inputs.files() if self._inputs.was_written(path)}
        return [one for one in self._inputs.contents() if one.where not in wrote]

    def is_new(self, path: Path) -> bool:
        """Say whether a watched file was written to since the start; a folder always counts as written."""
        return path.is_dir() or differs(self._before.get(path), mark(path))

    def history_before(self, path: Path) -> bytes:
        """Return what a table of metrics held before the start, where it still begins with that: another run's."""
        return self._histories.get(path, b"")

    def given_params(self) -> list[dict[str, str]]:
        """Return the parameters known before the start, weakest first: files, variables, command line."""
        from carnet_store.work.capture_values import from_command, from_variables

        return [*self._params, from_variables(self.asked.environ), from_command(self.asked.argv)]

    # -- the probe -----------------------------------------------------------------------------------------------------

    def _probe_file(self) -> Path | None:
        usual = "/tmp" if os.name == "posix" else "."  # noqa: S108 (an own name, made exclusively)
        place = self.asked.environ.get("TMPDIR") or self.asked.environ.get("TEMP") or usual
        path = Path(place) / f"carnet-probe-{os.getpid()}-{os.urandom(8).hex()}"
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError as error:
            self.notes.append(
                f"seeds and packages were not watched: {path.parent} cannot be written to ({error.strerror})"
            )
            return None
        return path

    def _environ(self) -> dict[str, str]:
        environ = dict(self.asked.environ)
        environ.pop(VARIABLE, None)
        if self._report is not None:
            environ[VARIABLE] = str(self._report)
            paths = (
                [one for one in environ["PYTHONPATH"].split(os.pathsep) if one != str(PROBE)]
                if environ.get("PYTHONPATH")
                else []
            )
            environ["PYTHONPATH"] = os.pathsep.join([str(PROBE), *paths])
        return environ

    def _forget_report(self) -> None:
        if self._report is not None:
            self._report.unlink(missing_ok=True)


def private_folders(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the folders that hold the user's keys and the runs that wait: as `identity.config_dir`, with little loaded."""
    if chosen := environ.get("CARNET_CONFIG", "").strip():
        return (Path(chosen).expanduser().absolute(),)
    from platformdirs import user_config_path, user_data_path

    return tuple(path("carnet", appauthor=False) for path in (user_config_path, user_data_path))


def new_key() -> str:
    """Return a name for a run that no other has: 32 hex."""
    return os.urandom(16).hex()


def default_name(argv: Sequence[str], at: int) -> str:
    """Return a name for a run that got none: its script and the second it began, UTC."""
    script = next((Path(word).stem for word in argv if kind_of(word) == "code"), "")
    if not script:
        at_module = next((i for i, word in enumerate(argv[:-1]) if word == "-m" and i), None)
        script = argv[at_module + 1] if at_module is not None else Path(argv[0]).stem
    short = "".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in script)[:40].strip("-") or "run"
    return f"{short}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(at // 1000))}"


def _history(path: Path) -> bytes:
    """Return a table of metrics as it stands; empty where it is not there, or too large to be one."""
    try:
        with path.open("rb") as handle:
            found = handle.read(HISTORY_AT_MOST + 1)
    except OSError:
        return b""
    return found if len(found) <= HISTORY_AT_MOST else b""


def _whole(folder: Path, path: str | Path) -> Path:
    return Path(os.path.normpath(folder / Path(path).expanduser()))


def _model_of(path: str, title: str) -> tuple[str, str]:
    name, sign, version = title.rpartition("@")
    if not sign or not name or not version:
        raise Invalid(f"{title!r} is no model version", f"--model {path}=NAME@VERSION")
    return name, version
