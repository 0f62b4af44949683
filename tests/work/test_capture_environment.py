"""Machine, packages, variables, and what the probe tells of seeds and random state from inside the child."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from carnet_store.work import capture_environment as environment
from carnet_store.work.capture_environment import PROBE, VARIABLE, Told, read_told

BASE = {"PATH": os.environ["PATH"]}


class Probed:
    """A Python process that ended, and what it told."""

    def __init__(self, folder: Path, code: str, *flags: str, **environ: str) -> None:
        report = folder / "report"
        report.write_bytes(b"")
        self.environ = {**BASE, VARIABLE: str(report), "PYTHONPATH": str(PROBE), **environ}
        script = folder / "script.py"
        script.write_text(code)
        self.process = subprocess.Popen(
            [sys.executable, *flags, str(script)],
            cwd=folder,
            env=self.environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.out, self.err = self.process.communicate(timeout=60)
        self.told = read_told(report, self.process.pid)
        self.seeds, self.places = environment.seeds(self.told, folder)
        self.controls = environment.controls(self.told, self.environ)


Probe = Callable[..., Probed]


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    """Run a script under the probe: its code, flags of the interpreter, variables."""

    def run(code: str, *flags: str, **environ: str) -> Probed:
        return Probed(tmp_path, code, *flags, **environ)

    return run


# -- machine, variables --------------------------------------------------------------------------------------------------


def test_the_machine_is_described() -> None:
    """R046: system, kernel, processor, cores; nothing that names the machine or its owner."""
    found = environment.machine({"CARNET_IMAGE": "example.org/train@sha256:abc"})
    assert found["cores"] == os.cpu_count()
    assert {"os", "kernel", "arch"} <= found.keys()
    assert os.uname().nodename not in json.dumps(found).split('"')
    assert all(isinstance(value, str | int) for value in found.values())


def test_only_variables_that_matter_are_recorded() -> None:
    """R048: hash seed, threads, determinism; others where they are named."""
    environ = {
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "4",
        "FOO_NUM_THREADS": "2",
        "AWS_SECRET_ACCESS_KEY": "x",
        "HOME": "/h",
        "MINE": "y",
    }
    assert environment.chosen(environ, ["MINE", "ABSENT"]) == {
        "FOO_NUM_THREADS": "2", "MINE": "y", "OMP_NUM_THREADS": "4", "PYTHONHASHSEED": "0",
    }  # fmt: skip


# -- packages ------------------------------------------------------------------------------------------------------------


def test_packages_are_those_that_the_interpreter_sees(probe: Probe) -> None:
    """R046: the same names and versions as `importlib.metadata` gives inside the child."""
    code = "import json, importlib.metadata as m\nprint(json.dumps([[d.metadata['Name'], d.version] for d in m.distributions()]))"
    ran = probe(code)
    wanted: dict[str, str] = {}
    for name, version in json.loads(ran.out):
        wanted.setdefault(name.replace("_", "-").replace(".", "-").lower(), version)
    (one,) = ran.told.interpreters()
    found = environment.packages(one.version, one.implementation, one.path)
    assert found.versions == wanted
    assert found.python == ".".join(map(str, sys.version_info[:3]))


def test_an_environment_is_known_by_its_list(tmp_path: Path) -> None:
    """R046: two environments differ by the packages that differ; the first on the path counts; origins are told without passwords."""

    def install(folder: str, name: str, version: str, direct: str = "") -> None:
        place = tmp_path / folder / f"{name}-{version}.dist-info"
        place.mkdir(parents=True)
        (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: not me\n")
        if direct:
            (place / "direct_url.json").write_text(direct)

    install("a", "Foo_Bar", "1.0")
    install("a", "mine", "0.1", '{"url": "file:///home/ana/mine", "dir_info": {"editable": true}}')
    install(
        "a", "vcs", "2", '{"url": "https://ana:pw@example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}'
    )
    install("a", "bad", "3", "{")
    install("b", "foo.bar", "2.0")
    (tmp_path / "a" / "nameless-4.5.dist-info").mkdir()
    (tmp_path / "a" / "old-0.9-py3.11.egg-info").write_text("Metadata-Version: 1.0\nName: old\nVersion: 0.9\n")
    one = environment.packages(
        "3.11.7", "cpython", [str(tmp_path / "a"), str(tmp_path / "b"), "/nonexistent", "zip.zip"]
    )
    assert one.versions == {"foo-bar": "1.0", "mine": "0.1", "vcs": "2", "bad": "3", "nameless": "4.5", "old": "0.9"}
    assert one.origins == {"mine": "editable", "vcs": "git+https://example.org/x.git@abc"}
    assert one.text.splitlines()[0] == "# cpython 3.11.7"
    assert "vcs==2  # git+https://example.org/x.git@abc" in one.text
    install("a", "late", "1")  # read once, an environment is what it was at the beginning
    assert environment.packages("3.11.7", "cpython", [str(tmp_path / "a"), str(tmp_path / "b")]) == one
    other = environment.packages("3.11.7", "cpython", [str(tmp_path / "b"), str(tmp_path / "a")])
    assert {name for name in one.versions if one.versions[name] != other.versions[name]} == {"foo-bar"}
    assert one.sha256 != other.sha256
    assert one.sha256 != environment.packages("3.12.0", "cpython", [str(tmp_path / "a"), str(tmp_path / "b")]).sha256


# -- the probe -----------------------------------------------------------------------------------------------------------


def test_seeds_of_python_are_seen(probe: Probe) -> None:
    """R047: which generator, which seed, set where; generators of their own too."""
    ran = probe("import random\nrandom.seed(5)\nown = random.Random(7)\nrandom.seed('word')\nrandom.Random()\n")
    assert ran.seeds == {"random.seed": ["5", "'word'"], "random.Random": "7"}
    assert ran.places == {"random.seed": "script.py:2, script.py:4", "random.Random": "script.py:3"}
    assert ran.controls["generators.random"] == "seeded"


def test_what_a_forked_worker_seeds_is_its_own(probe: Probe) -> None:
    """R047: the process that it comes from draws unseeded numbers as before."""
    fork = "import os, random\npid = os.fork()\nif pid == 0:\n    random.seed(5)\n    os._exit(0)\nos.waitpid(pid, 0)\n"
    ran = probe(fork + "random.random()\n")
    assert ran.controls["generators.random"] == "seeded in forked workers only"
    assert ran.seeds == {"random.seed": "5"}
    assert probe(fork + "random.seed(6)\n").controls["generators.random"] == "seeded"


def test_what_was_not_seeded_is_told_apart(probe: Probe) -> None:
    """R047: a generator that was loaded and never seeded, one that was only used by itself, a seed of None."""
    assert probe("import random; random.random()").controls["generators.random"] == "no seed seen"
    assert probe("import random; random.Random(1)").controls["generators.random"] == "only generators of its own seeded"
    assert probe("import random; random.seed(None)").controls["generators.random"] == "no seed seen"
    assert "generators.random" not in probe("pass").controls


def test_the_script_notices_nothing(probe: Probe, tmp_path: Path) -> None:
    """Same figures, same objects, same path, same modules, same exit code as without the probe."""
    code = (
        "import random, sys, pickle, inspect\n"
        "random.seed(5); r = random.Random(7)\n"
        "print(random.random(), r.random(), random.seed.__self__ is random._inst, inspect.signature(random.seed))\n"
        "print(pickle.loads(pickle.dumps(r)).random(), type(r), random.Random.seed.__qualname__, random.seed(a=3, version=1), random.random())\n"
        "print(sys.path, sorted(m for m in sys.modules if m not in ('sitecustomize', 'atexit')))\n"
        "print([type(f).__name__ for f in sys.meta_path if 'sitecustomize' not in f.__module__])\n"
        "print(type(random.__spec__.loader), 'exec_module' in vars(random.__spec__.loader))\n"
        "sys.exit(3)\n"
    )
    ran = probe(code)
    (tmp_path / "script.py").write_text(code)
    bare = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=BASE, capture_output=True, text=True, check=False
    )
    assert ran.out.replace(str(tmp_path / "script.py"), "script.py") == bare.stdout
    assert (ran.process.returncode, ran.err) == (bare.returncode, bare.stderr)


def test_an_end_is_told_however_it_comes(probe: Probe) -> None:
    """`sys.exit` and an exception tell all; after `os._exit` and a kill the seeds are there and the end is not, and that shows."""
    for code in ("import sys; sys.exit(2)", "raise ValueError('x')", "pass"):
        assert probe(f"import random; random.seed(1); {code}").told.end["loaded"] == ["random"]
    for code in ("import os; os._exit(0)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"):
        ran = probe(f"import random; random.seed(1); {code}")
        assert ran.told.end == {}
        assert ran.seeds == {"random.seed": "1"}


def test_the_sitecustomize_that_was_hidden_is_run(probe: Probe, tmp_path: Path) -> None:
    """A site's own set-up goes on as before; what it raises is told as Python tells it; usercustomize is untouched."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import builtins; builtins.hidden = 'ran'")
    ran = probe(
        "import sitecustomize; print(hidden, sitecustomize.__file__)",
        PYTHONPATH=os.pathsep.join([str(PROBE), str(site)]),
    )
    assert ran.out == f"ran {site / 'sitecustomize.py'}\n"
    assert ran.told.end
    (site / "sitecustomize.py").write_text("raise RuntimeError('theirs')")
    ran = probe("print('on')", PYTHONPATH=os.pathsep.join([str(PROBE), str(site)]))
    assert ran.out == "on\n"
    assert "Error in sitecustomize" in ran.err
    assert "theirs" in ran.err
    assert ran.told.end


def test_a_report_that_cannot_be_written_is_nobodys_trouble(probe: Probe, tmp_path: Path) -> None:
    for place in (str(tmp_path), str(tmp_path / "gone" / "report"), "/dev/full"):
        ran = probe("import random; random.seed(1); print('on')", CARNET_PROBE=place)
        assert (ran.out, ran.err, ran.process.returncode) == ("on\n", "", 0)


def test_processes_of_the_child_add_to_the_report(probe: Probe) -> None:
    """They inherit the probe and append; the command's own process is told apart from them."""
    code = (
        "import os, random, subprocess, sys\n"
        "random.seed(1)\n"
        "subprocess.run([sys.executable, '-c', 'import random; random.seed(2)'])\n"
        "if os.fork() == 0:\n"
        "    for n in range(9): random.seed(100 + n)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    ran = probe(code)
    assert ran.told.processes == 2
    assert ran.told.start["pid"] == ran.process.pid
    assert ran.seeds["random.seed"][:2] == ["1", "2"]
    assert len(ran.seeds["random.seed"]) == 5  # three of the forked one's nine


def test_a_loop_of_seeds_is_not_slowed_down_and_not_all_noted(probe: Probe) -> None:
    ran = probe("import random\nfor n in range(100_000): random.seed(n)\nrandom.seed(-1)\n")
    assert ran.seeds == {"random.seed": ["0", "1", "2", "-1"]}


def test_the_hash_seed_and_threads_are_told(probe: Probe) -> None:
    """R048: two captures with different thread counts show the difference."""
    one = probe("pass", OMP_NUM_THREADS="1", PYTHONHASHSEED="0").controls
    two = probe("pass", OMP_NUM_THREADS="8", PYTHONHASHSEED="0").controls
    assert {name for name in one if one[name] != two[name]} == {"OMP_NUM_THREADS"}
    assert one["PYTHONHASHSEED"] == "0"
    assert probe("pass").controls["PYTHONHASHSEED"] == "random"


def test_variables_are_those_of_the_script(tmp_path: Path) -> None:
    """R048: what a shell exports before it and what the script sets itself count, not what we were started with; no other variable is told."""
    (tmp_path / "det.py").write_text(
        "import os\nos.environ.update(CUBLAS_WORKSPACE_CONFIG=':4096:8', MKL_NUM_THREADS='2', PYTHONHASHSEED='9', OWN='told-to-nobody')\n"
    )
    (tmp_path / "train.sh").write_text(f"export PYTHONHASHSEED=42 OMP_NUM_THREADS=3\nexec {sys.executable} det.py\n")
    report = tmp_path / "report"
    given = {"OMP_NUM_THREADS": "8", "AWS_SECRET_ACCESS_KEY": "told-to-nobody", "TF_DETERMINISTIC_OPS": "1"}
    for argv, hash_seed, threads in (
        (["sh", "train.sh"], "42", "3"),
        (["env", "PYTHONHASHSEED=7", sys.executable, "det.py"], "7", "8"),
    ):
        report.write_bytes(b"")
        environ = {**BASE, VARIABLE: str(report), "PYTHONPATH": str(PROBE), **given}
        with subprocess.Popen(argv, cwd=tmp_path, env=environ) as process:
            assert process.wait(60) == 0
        assert environment.controls(read_told(report, process.pid), environ) == {
            "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": "2", "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "TF_DETERMINISTIC_OPS": "1",
        }  # fmt: skip
        assert b"told-to-nobody" not in report.read_bytes()


def test_a_script_that_breaks_its_variables_is_told_of_all_the_same(probe: Probe) -> None:
    """Whatever it puts in the place of `os.environ`: it ends as it does without us."""
    ran = probe("import os\nos.environ = None\n", OMP_NUM_THREADS="4")
    assert (ran.process.returncode, ran.err, ran.controls["OMP_NUM_THREADS"]) == (0, "", "4")
    assert ran.told.end


def test_variables_that_somebody_else_wrote_are_looked_at(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"kind": "start", "pid": 7, "env": {"HOME": "/h", 5: "x", "A_NUM_THREADS": 4, "B_NUM_THREADS": "x" * 900}},
        {"kind": "end", "pid": 7, "env": ["no"]},
    ]
    (tmp_path / "r").write_text("".join(f"{row!r}\n" for row in rows))
    controls = environment.controls(read_told(tmp_path / "r", 7), {"OMP_NUM_THREADS": "1"})
    assert controls == {"B_NUM_THREADS": "x" * 200, "PYTHONHASHSEED": "0"}


def test_the_probe_can_be_read_by_old_interpreters() -> None:
    """Whichever Python the child is, from 3.6 on."""
    ast.parse((PROBE / "sitecustomize.py").read_text(), feature_version=(3, 6))


def fake(folder: Path, **modules: str) -> str:
    """Write packages of these names; return the PYTHONPATH that has them."""
    for name, code in modules.items():
        path = folder / "libs" / name.replace("__", "/") / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    return os.pathsep.join([str(PROBE), str(folder / "libs")])


TORCH = """
from . import random, cuda, backends, version
from .random import manual_seed
def use_deterministic_algorithms(mode): global _mode; _mode = mode
def are_deterministic_algorithms_enabled(): return _mode
def get_num_threads(): return 6
def initial_seed(): return random.state
_mode = False
"""


def test_seeds_and_flags_of_torch(probe: Probe, tmp_path: Path) -> None:
    """R047, R048: manual_seed by either name, determinism, cuDNN, threads, as the library itself says at the end."""
    path = fake(
        tmp_path, torch=TORCH, torch__random="state = 0\ndef manual_seed(seed): global state; state = seed; return 'made'",
        torch__cuda="def manual_seed_all(seed): pass", torch__backends="from . import cudnn", torch__version="cuda = '12.4'",
        torch__backends__cudnn="deterministic = True\nbenchmark = False",
    )  # fmt: skip
    code = (
        "import torch\nprint(torch.manual_seed(11))\ntorch.random.manual_seed(seed=12)\ntorch.cuda.manual_seed_all(13)\n"
        "torch.use_deterministic_algorithms(True)\n"
    )
    ran = probe(code, PYTHONPATH=path)
    assert (ran.out, ran.err) == ("made\n", "")
    assert ran.seeds == {
        "torch.manual_seed": "11",
        "torch.random.manual_seed": "12",
        "torch.cuda.manual_seed_all": "13",
    }
    assert ran.controls["torch.deterministic_algorithms"] == "True"
    assert ran.controls["torch.cudnn_deterministic"] == "True"
    assert ran.controls["torch.num_threads"] == "6"
    assert ran.controls["torch.cuda"] == "12.4"
    assert ran.controls["generators.torch"] == "seeded"


def test_seeds_of_tensorflow_and_jax(probe: Probe, tmp_path: Path) -> None:
    """R047: what is not there in a version is passed over."""
    path = fake(
        tmp_path, tensorflow="from . import random", tensorflow__random="def set_seed(seed): pass", jax="",
        jax__random="def PRNGKey(seed): return [seed]\ndef key(seed): return seed",
    )  # fmt: skip
    ran = probe(
        "import tensorflow as tf, jax.random\ntf.random.set_seed(21)\njax.random.PRNGKey(22)\njax.random.key(object())\n",
        PYTHONPATH=path,
    )
    assert ran.err == ""
    assert ran.seeds == {"tensorflow.random.set_seed": "21", "jax.random.PRNGKey": "22", "jax.random.key": "<object>"}


NUMPY = """
class RandomState:
    def __init__(self, seed=None): self.seed_ = seed
    def __eq__(self, other): return type(self) is type(other)
    __hash__ = None
class PCG64:
    def __init__(self, seed=None): self.seed_ = seed
    def __reduce__(self): return (type(self), (self.seed_,))
PCG64.__module__ = 'numpy.random._pcg64'
class Philox(PCG64):
    def __init__(self, seed=None, key=None): self.seed_ = key
def seed(seed=None): return 'seeded'
def default_rng(seed=None): return ('rng', getattr(seed, 'seed_', seed))
"""


def test_seeds_of_numpy_and_its_class_stays_a_class(probe: Probe, tmp_path: Path) -> None:
    """R047: `isinstance`, subclasses and the objects themselves are as without the probe."""
    path = fake(tmp_path, numpy="from . import random", numpy__random=NUMPY)
    code = (
        "import numpy as np\n"
        "original = np.random.RandomState.__mro__[1]\n"
        "print(np.random.seed(31), np.random.default_rng(32), np.random.default_rng())\n"
        "made = np.random.RandomState(33)\n"
        "print(type(made) is original, isinstance(made, np.random.RandomState), issubclass(original, np.random.RandomState), isinstance(5, np.random.RandomState))\n"
        "class Mine(np.random.RandomState):\n    pass\n"
        "mine = Mine(34)\n"
        "print(type(mine) is Mine, isinstance(mine, Mine), isinstance(mine, np.random.RandomState), isinstance(made, Mine), mine.seed_)\n"
    )
    ran = probe(code, PYTHONPATH=path)
    assert ran.err == ""
    assert ran.out.splitlines() == [
        "seeded ('rng', 32) ('rng', None)",
        "True True True False",
        "True True True False 34",
    ]
    assert ran.seeds == {
        "numpy.random.seed": "31",
        "numpy.random.default_rng": "32",
        "numpy.random.RandomState": ["33", "34"],
    }


def test_seeds_of_bit_generators(probe: Probe, tmp_path: Path) -> None:
    """R047: a generator that is given its state ready-made is seeded there; what is made is pickled by its own name, as without the probe."""
    path = fake(
        tmp_path, numpy="from . import random", numpy__random=NUMPY + "import sys\nsys.modules['numpy.random._pcg64'] = sys.modules[__name__]\n"
        "import types\nown = types.ModuleType('numpy.random._pcg64'); own.PCG64 = PCG64; sys.modules['numpy.random._pcg64'] = own\n",
    )  # fmt: skip
    code = (
        "import numpy as np, pickle\n"
        "made = np.random.PCG64(41)\n"
        "print(np.random.default_rng(made), isinstance(made, np.random.PCG64), pickle.loads(pickle.dumps(made)).seed_)\n"
        "print(pickle.loads(pickle.dumps(np.random.PCG64)) is np.random.PCG64, np.random.Philox(key=44).seed_)\n"
    )
    ran = probe(code, PYTHONPATH=path)
    assert ran.err == ""
    assert ran.out.splitlines() == ["('rng', 41) True 41", "True 44"]
    assert ran.seeds == {"numpy.random.PCG64": "41", "numpy.random.Philox": "44"}


def test_a_module_that_names_a_file_which_is_nowhere_is_no_code(probe: Probe, tmp_path: Path) -> None:
    """As real libraries do: such a name is read as a file of the folder, where none lies."""
    ran = probe(
        "import sys, types\nmade = types.ModuleType('made')\nmade.__file__ = '_made.py'\nsys.modules['made'] = made\n"
    )
    assert ran.err == "" and "_made.py" not in [one.name for one in ran.told.modules()]


def test_seeds_of_the_real_numpy(probe: Probe) -> None:
    """R047: the library itself, where it is installed."""
    pytest.importorskip("numpy")
    code = (
        "import numpy as np, pickle\n"
        "np.random.seed(3); state = np.random.RandomState(4); rng = np.random.default_rng(seed=5)\n"
        "print(np.random.rand(), state.rand(), rng.random(), isinstance(state, np.random.RandomState))\n"
        "print(pickle.loads(pickle.dumps(state)).rand() == pickle.loads(pickle.dumps(state)).rand(), pickle.loads(pickle.dumps(np.random.RandomState)))\n"
    )
    ran = probe(code)
    assert ran.err == ""
    assert "True" in ran.out
    assert ran.seeds == {"numpy.random.seed": "3", "numpy.random.RandomState": "4", "numpy.random.default_rng": "5"}


def test_a_library_that_breaks_breaks_as_before(probe: Probe, tmp_path: Path) -> None:
    """An import that fails fails with its own error, and a library of another shape is only not watched."""
    path = fake(tmp_path, torch="raise ImportError('no driver')", numpy="", numpy__random="RandomState = 5")
    ran = probe(
        "import numpy.random\ntry:\n    import torch\nexcept ImportError as error:\n    print(error)\n", PYTHONPATH=path
    )
    assert (ran.out, ran.err) == ("no driver\n", "")
    assert ran.told.end


# -- reading what was told -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe", b"not a literal", b"[1, 2]", b"{'kind': 'start'}", b"{'pid': 'x'}", b"(" * 5000, b"{'pid': 1, 'kind': open('/etc/passwd')}",
     b"9" * 10_000, b"{'pid': 1"],
)  # fmt: skip
def test_lines_that_somebody_else_wrote_are_counted(tmp_path: Path, line: bytes) -> None:
    """The file is the child's to write to: nothing in it runs, nothing in it fails us."""
    (tmp_path / "r").write_bytes(line + b"\n{'kind': 'start', 'pid': 7, 'path': ['/x', 5]}\n")
    told = read_told(tmp_path / "r", 7)
    assert told.unread == 1
    assert told.interpreters()[0].path == ("/x",)


def test_strange_values_are_no_trouble(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"kind": "start", "pid": 7, "path": "no list", "version": 3, "hash_randomization": None, "executable": None},
        {"kind": "seed", "pid": 7, "call": None, "seed": 5}, {"kind": "seed", "pid": 7, "call": "x", "seed": "1", "where": 5},
        {"kind": "end", "pid": 7, "loaded": {"a": 1}, "torch": [1], "modules": [5, "/m.py"]},
    ]  # fmt: skip
    (tmp_path / "r").write_text("".join(f"{row!r}\n" for row in rows))
    told = read_told(tmp_path / "r", 7)
    assert told.interpreters()[0].path == ()
    assert told.modules() == [Path("/m.py")]
    assert environment.seeds(told, tmp_path)[0] == {"x": "1"}
    assert environment.controls(told, {}) == {"PYTHONHASHSEED": "0"}
    assert environment.controls(Told(), {}) == {}
    assert read_told(tmp_path / "gone", 1).processes == 0


def test_seeds_that_a_library_sets_for_itself_are_left_out(probe: Probe, tmp_path: Path) -> None:
    """R047: what the script seeds, through whatever library, is told; what a library seeds when it is imported is not."""
    library = tmp_path / "venv" / "site-packages" / "lib.py"
    library.parent.mkdir(parents=True)
    library.write_text("import random\nrandom.Random(99)\ndef seed_everything(seed): random.seed(seed)\n")
    path = os.pathsep.join([str(PROBE), str(library.parent)])
    ran = probe("import lib\nlib.seed_everything(42)\n", PYTHONPATH=path)
    assert (ran.seeds, ran.places) == ({"random.seed": "42"}, {"random.seed": "script.py:2"})
    assert probe("import lib\n", PYTHONPATH=path).seeds == {"random.Random": "99"}


def test_a_script_from_elsewhere_is_its_own(probe: Probe, tmp_path: Path) -> None:
    """R047: `python ../tools/train.py` sets its seeds beside the folder it runs in."""
    script = tmp_path / "tools" / "train.py"
    script.parent.mkdir()
    script.write_text("import random; random.seed(8)")
    (tmp_path / "work").mkdir()
    report = tmp_path / "elsewhere"
    report.touch()
    environ = {**BASE, VARIABLE: str(report), "PYTHONPATH": str(PROBE)}
    subprocess.run([sys.executable, str(script)], cwd=tmp_path / "work", env=environ, check=True)
    assert read_told(report, 0).seeds[0]["own"] is True
