"""In which environment a run took place: machine, interpreter, packages, chosen variables, seeds and random state.

What is inside the child is told by the probe (`probe/sitecustomize.py`), line by line into a file; what it says is data of a program that may
have written anything there, so it is read as literals, within limits. Packages are read from the folders of the child's `sys.path`, as
`importlib.metadata` does, without running anything of the child's.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

PROBE: Final = Path(__file__).with_name("probe")
VARIABLE: Final = "CARNET_PROBE"
REPORT_AT_MOST: Final = 4 << 20
PACKAGES_AT_MOST: Final = 5_000
SEEDS_AT_MOST: Final = 100
WORKER_SEEDS_AT_MOST: Final = 20
_LINE_AT_MOST: Final = 1 << 20

ALLOWED: Final = (
    "PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONUTF8", "*_NUM_THREADS", "OMP_DYNAMIC", "OMP_SCHEDULE", "MKL_DYNAMIC", "MKL_CBWR",
    "KMP_AFFINITY", "KMP_DETERMINISTIC_REDUCTION", "CUDA_VISIBLE_DEVICES", "CUDA_LAUNCH_BLOCKING", "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_VISIBLE_DEVICES", "NVIDIA_TF32_OVERRIDE", "TF_DETERMINISTIC_OPS", "TF_CUDNN_DETERMINISTIC", "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS", "XLA_FLAGS", "XLA_PYTHON_CLIENT_*", "JAX_ENABLE_X64", "JAX_PLATFORMS", "JAX_DEFAULT_MATMUL_PRECISION",
    "PYTORCH_CUDA_ALLOC_CONF", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "LANG", "LC_ALL", "LC_NUMERIC", "TZ", "SOURCE_DATE_EPOCH",
)  # fmt: skip
"""Variables that change what a run computes and say nothing of a person. Others are recorded where `--env` names them."""
_CONTROLS: Final = (
    "*_NUM_THREADS",
    "CUBLAS_WORKSPACE_CONFIG",
    "TF_DETERMINISTIC_OPS",
    "TF_CUDNN_DETERMINISTIC",
    "PYTHONHASHSEED",
)
"""Those of them that steer randomness and threads; the child tells how it found and left them."""
_OWN: Final = frozenset(("random.Random", "numpy.random.default_rng", "numpy.random.RandomState"))
_IMAGES: Final = ("CARNET_IMAGE", "CONTAINER_IMAGE", "DOCKER_IMAGE", "APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")


def chosen(environ: Mapping[str, str], more: Sequence[str] = ()) -> dict[str, str]:
    """Return the variables to record, by name."""
    return {
        name: environ[name]
        for name in sorted(environ)
        if name in more or any(fnmatchcase(name, pattern) for pattern in ALLOWED)
    }


def machine(environ: Mapping[str, str]) -> dict[str, str | int]:
    """Return what it ran on: system, kernel, architecture, processor, cores, graphics processors, container. Reads files only."""
    found: dict[str, str | int] = {"os": sys.platform}
    if hasattr(os, "uname"):
        name = os.uname()
        found = {"os": name.sysname, "kernel": name.release, "arch": name.machine}
    for line in _lines(Path("/etc/os-release"), 4096):
        if line.startswith("PRETTY_NAME="):
            found["os"] = line.partition("=")[2].strip("\"'")
    for line in _lines(Path("/proc/cpuinfo"), 8192):
        if line.startswith(("model name", "Model", "cpu model")) and ":" in line:
            found.setdefault("cpu", line.partition(":")[2].strip())
    found["cores"] = os.cpu_count() or 0
    if hasattr(os, "sched_getaffinity"):
        found["cores_usable"] = len(os.sched_getaffinity(0))
    gpus = [
        line.partition(":")[2].strip()
        for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        for line in _lines(path, 4096)
        if line.startswith("Model:")
    ]
    if gpus:
        found["gpus"] = ", ".join(gpus)
        found["gpu_driver"] = next(iter(_lines(Path("/proc/driver/nvidia/version"), 400)), "")[:200]
    if container := _container(environ):
        found["container"] = container
    return found


def _container(environ: Mapping[str, str]) -> str:
    image = next((environ[name] for name in _IMAGES if environ.get(name)), "")
    kind = ""
    if Path("/.dockerenv").exists():
        kind = "docker"
    elif Path("/run/.containerenv").exists():
        kind = "podman"
        found = [line for line in _lines(Path("/run/.containerenv"), 4096) if line.startswith("image=")]
        image = image or (found[0].partition("=")[2].strip('"') if found else "")
    elif environ.get("KUBERNETES_SERVICE_HOST"):
        kind = "kubernetes"
    return f"{kind} {image}".strip()


def _lines(path: Path, at_most: int) -> list[str]:
    try:
        with path.open("rb") as handle:
            return handle.read(at_most).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


# -- packages ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Packages:
    """What an interpreter can import: `versions` by normalised name, `origins` of what came from no registry, `text` of both.

    The text is a requirements file with the interpreter in its first line; its SHA-256 is the environment's identity.
    """

    python: str
    implementation: str
    versions: Mapping[str, str]
    origins: Mapping[str, str]

    @property
    def text(self) -> str:
        """One `name==version` a line, sorted."""
        rows = [f"# {self.implementation} {self.python}\n"]
        for name in sorted(self.versions):
            origin = f"  # {self.origins[name]}" if name in self.origins else ""
            rows.append(f"{name}=={self.versions[name]}{origin}\n")
        return "".join(rows)

    @property
    def sha256(self) -> str:
        """The digest of `text`."""
        import hashlib

        return hashlib.sha256(self.text.encode("utf-8", "surrogateescape")).hexdigest()


def packages(python: str, implementation: str, paths: Iterable[str]) -> Packages:
    """Return the distributions in these folders; of one name the first on the path counts, as for `import`."""
    versions: dict[str, str] = {}
    origins: dict[str, str] = {}
    for folder in dict.fromkeys(paths):
        for name, version, origin in _installed(folder):
            if name in versions or len(versions) >= PACKAGES_AT_MOST:
                continue
            versions[name] = version
            if origin:
                origins[name] = origin
    return Packages(python, implementation, versions, origins)


@functools.lru_cache(maxsize=256)
def _installed(folder: str) -> tuple[tuple[str, str, str], ...]:
    """Return what is installed in a folder, sorted; remembered, so that it can be read before somebody waits for it."""
    return tuple(sorted(_distributions(folder)))


def _distributions(folder: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, version and origin of what is installed in a folder."""
    try:
        entries = [entry for entry in os.scandir(folder) if entry.name.endswith((".dist-info", ".egg-info"))]
    except (OSError, ValueError):
        return
    for entry in entries:
        place = Path(entry.path)
        name = version = ""
        for file in (place / "METADATA", place / "PKG-INFO", place):
            if (place.is_dir()) is (file == place):
                continue
            for line in _lines(file, 4096):
                if line.startswith("Name:") and not name:
                    name = line.partition(":")[2].strip()
                elif line.startswith("Version:") and not version:
                    version = line.partition(":")[2].strip()
                elif not line:
                    break
            if name:
                break
        if not name:  # METADATA is not here: the folder's own name says it
            name, _, version = entry.name.rpartition(".")[0].partition("-")
        name = re.sub(r"[-_.]+", "-", name).lower()
        if name:
            yield name, version.split("-py")[0], _origin(place)


def _origin(place: Path) -> str:
    """Return where a distribution comes from that no registry gave: `editable`, or a repository and commit."""
    lines = _lines(place / "direct_url.json", 16384)
    if not lines:
        return ""
    import json

    from carnet_store.work.capture_code import without_userinfo

    try:
        found = json.loads("\n".join(lines))
        url = without_userinfo(str(found["url"]))
        if found.get("dir_info", {}).get("editable"):
            return "editable"
        if "vcs_info" in found:
            return f"{found['vcs_info'].get('vcs', 'git')}+{url}@{found['vcs_info'].get('commit_id', '')}"
        return "from a folder" if url.startswith("file:") else url
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


# -- what the probe told -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that took part: its program, its version, the folders it imports from."""

    executable: str
    version: str
    implementation: str
    path: tuple[str, ...]


@dataclass(slots=True)
class Told:
    """What the child's Python processes said: one as `start` and `end`, everybody's seeds.

    That one is the child itself; of a shell's or of `make`'s the first that ran code of the folder, else the first. `end` is empty where it told
    nothing at its end (`os._exit`, kill). `starts` and `ends` (by process) are of all; `processes` counts the interpreters.
    """

    start: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    starts: list[dict[str, Any]] = field(default_factory=list)
    ends: dict[int, dict[str, Any]] = field(default_factory=dict)
    seeds: list[dict[str, Any]] = field(default_factory=list)
    processes: int = 0
    unread: int = 0

    def interpreters(self) -> list[Interpreter]:
        """Return the interpreters that took part, each once, that of `start` first."""
        found: dict[tuple[str, str], Interpreter] = {}
        for start in [self.start, *self.starts] if self.start else []:
            path = [
                row for row in (*_texts(start.get("path")), *_texts(self.ends.get(start["pid"], {}).get("path"))) if row
            ]
            executable, prefix = _text(start.get("executable"), 400), _text(start.get("prefix"), 400)
            one = Interpreter(
                executable, _text(start.get("version"), 60), _text(start.get("implementation"), 60), tuple(path)
            )
            before = found.setdefault((executable, prefix), one)
            if before is not one:
                found[executable, prefix] = replace(before, path=tuple(dict.fromkeys((*before.path, *path))))
        return list(found.values())

    def own_seeds(self) -> list[dict[str, Any]]:
        """Return the seeds that the script's own code set; where there is none, those of the libraries."""
        own = [row for row in self.seeds if row.get("own")]
        return own or self.seeds

    def modules(self) -> list[Path]:
        """Return the own source files of all scripts that were loaded."""
        return [
            Path(row) for row in dict.fromkeys(row for end in self.ends.values() for row in _texts(end.get("modules")))
        ]


def read_told(path: Path, child: int) -> Told:
    """Read what the probe wrote; `child` is the process id of the command itself. Lines that cannot be read are counted."""
    import ast

    told = Told()
    rows: list[dict[str, Any]] = []
    try:
        with path.open("rb") as handle:
            raw = handle.read(REPORT_AT_MOST)
    except OSError:
        return told
    for line in raw.split(b"\n"):
        if not line:
            continue
        try:
            row = ast.literal_eval(line.decode("utf-8")) if len(line) <= _LINE_AT_MOST else None
        except (ValueError, SyntaxError, RecursionError, MemoryError, UnicodeDecodeError):
            row = None
        if isinstance(row, dict) and isinstance(row.get("pid"), int):
            rows.append(row)
        else:
            told.unread += 1
    told.starts = [row for row in rows if row.get("kind") == "start"]
    told.ends = {row["pid"]: row for row in rows if row.get("kind") == "end"}
    told.processes = len({row["pid"] for row in told.starts})
    if told.starts:
        own = (row for row in told.starts if _texts(told.ends.get(row["pid"], {}).get("modules")))
        told.start = next((row for row in told.starts if row["pid"] == child), {}) or next(own, told.starts[0])
        told.end = told.ends.get(told.start["pid"], {})
    told.seeds = [row for row in rows if row.get("kind") == "seed"]
    return told


def read_packages_early(path: Path, child: int) -> None:
    """Read the packages of the interpreter that began to tell of itself, while the command still runs."""
    for one in read_told(path, child).interpreters():
        for folder in one.path:
            _installed(folder)


def seeds(told: Told, folder: Path) -> tuple[dict[str, str | list[str]], dict[str, str]]:
    """Return the seeds that were seen being set, by the call that set them, and where each was called; of workers only the first."""
    values: dict[str, list[str]] = {}
    places: dict[str, list[str]] = {}
    workers = 0
    for row in told.own_seeds()[:SEEDS_AT_MOST]:
        workers += bool(row.get("forked"))
        call, seed = _text(row.get("call"), 60), _text(row.get("seed"), 200)
        if not call or seed in ("", "None") or (row.get("forked") and workers > WORKER_SEEDS_AT_MOST):
            continue
        where, _, line = _text(row.get("where"), 400).rpartition(":")
        if where:
            inside = Path(where).is_relative_to(folder)
            where = f"{Path(where).relative_to(folder).as_posix() if inside else Path(where).name}:{line}"
        for found, one in ((values, seed), (places, where)):
            rows = found.setdefault(call, [])
            if one and one not in rows:
                rows.append(one)
    single = {call: rows[0] if len(rows) == 1 else rows for call, rows in values.items()}
    return single, {call: ", ".join(rows[:10]) for call, rows in places.items() if rows}


def controls(told: Told, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what steers randomness beside seeds: hash seed, threads, determinism flags, which generators one saw seeded."""
    begun, ended = (row.get("env") for row in (told.start, told.end))
    began = _steering(begun if isinstance(begun, dict) else environ)
    found = {**began, **_steering(ended if isinstance(ended, dict) else {})}
    found.pop("PYTHONHASHSEED", None)  # what a script sets later changes nothing in itself
    if told.start:
        randomised = told.start.get("hash_randomization")
        found["PYTHONHASHSEED"] = began.get("PYTHONHASHSEED") or ("random" if randomised else "0")
    for name in dict.fromkeys(name for end in told.ends.values() for name in _texts(end.get("loaded"))):
        found[f"generators.{name}"] = _seeding(told, name)
    torch = told.end.get("torch")
    if isinstance(torch, dict):
        found |= {f"torch.{_text(name, 60)}": _text(value, 60) for name, value in list(torch.items())[:20]}
    return found


def _steering(environ: Mapping[Any, Any]) -> dict[str, str]:
    """Return those of some variables that steer randomness, whatever else somebody wrote among them."""
    return {
        name: text[:200]
        for name, text in sorted(
            (name, text) for name, text in environ.items() if isinstance(name, str) and isinstance(text, str)
        )
        if any(fnmatchcase(name, pattern) for pattern in _CONTROLS)
    }


def _seeding(told: Told, source: str) -> str:
    """Return how far a library's generators were seen to be seeded; a seed of None asks the machine for one.

    What a forked worker seeds is its own: the process it comes from is as unseeded as before.
    """
    rows = [row for row in told.own_seeds() if row.get("source") == source and row.get("seed") != "None"]
    calls = {row.get("call") for row in rows if not row.get("forked")}
    if not calls:
        return "seeded in forked workers only" if rows else "no seed seen"
    return "only generators of its own seeded" if calls <= _OWN else "seeded"


def _text(value: Any, at_most: int) -> str:
    return str(value)[:at_most] if isinstance(value, str | int) else ""


def _texts(value: Any) -> list[str]:
    return [one[:4096] for one in value if isinstance(one, str)] if isinstance(value, list) else []
