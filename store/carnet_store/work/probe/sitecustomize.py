"""What a captured Python process says of itself: its interpreter, its seeds, its random state. Python runs this file before the script.

`carnet run` puts this folder on the child's PYTHONPATH and names a file in CARNET_PROBE; each Python process that inherits both appends
lines to it, each one `repr` of a dict of plain values. Rules: no import that the script would not pay for anyway; nothing here may raise
into the script, print, or change what a call returns; a `sitecustomize` that this one hides is run as if this one were not there.
It must read in any Python from 3.6 on, whichever the child is.
"""

# ruff: noqa: PTH100, PTH113, PTH119, PTH120, PTH109, SIM105

import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_FILE = os.environ.get("CARNET_PROBE", "")
_HERE = os.path.dirname(os.path.abspath(__file__))
_SEEDS_AT_MOST = 100
_FORKED_AT_MOST = 3
_PER_PLACE = 3
_CALLS_PER_LINE = 20
_MODULES_AT_MOST = 500
_CONTROLS = (
    "PYTHONHASHSEED",
    "CUBLAS_WORKSPACE_CONFIG",
    "TF_DETERMINISTIC_OPS",
    "TF_CUDNN_DETERMINISTIC",
)  # and *_NUM_THREADS; no others
_noted = {}  # type: dict[int, dict[tuple[str, str], list[str]]]
_calls = {}  # type: dict[tuple[str, int], int]
_pid = os.getpid()
_inside = ""


def _write(line: "dict[str, Any]") -> None:
    """Append one line; several processes share the file, so each line is one write."""
    try:
        line["pid"] = os.getpid()
        data = (repr(line) + "\n").encode("utf-8", "backslashreplace")
        handle = os.open(_FILE, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        try:
            os.write(handle, data)
        finally:
            os.close(handle)
    except Exception:  # the file is gone, the disk is full: the script goes on
        return


def _text(value: "Any") -> str:
    """Return a seed as text; of what is no plain number or text only its type, because its `repr` may cost or say anything."""
    if value is None or isinstance(value, (bool, int, str, bytes, float)):
        return repr(value)[:200]
    if isinstance(value, (list, tuple)) and len(value) <= 16 and all(isinstance(one, int) for one in value):
        return repr(value)[:200]
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return repr(value.item())[:200]
    return "<" + type(value).__name__ + ">"


def _is_own(name: str) -> bool:
    """Say whether code in a file is the script's own: below the folder it began in, or beside the script."""
    if name in ("<string>", "<stdin>"):
        return True
    if "site-packages" in name or name.startswith("<"):
        return False
    beside = os.path.dirname(os.path.abspath(sys.argv[0])) + os.sep if getattr(sys, "argv", [""])[0] else _inside
    return os.path.abspath(name).startswith((_inside, beside))


def _caller() -> "tuple[str, bool]":
    """Return `file:line` of the nearest caller that is the script's own, and True; else of the nearest outside this file."""
    frame = sys._getframe(2)  # type: Any
    nearest = ""
    for _ in range(60):
        if frame is None:
            break
        name = str(frame.f_code.co_filename)
        if name.startswith("<frozen importlib"):  # a module being imported seeds for itself
            return nearest or name, False
        if name != __file__:
            where = name + ":" + str(frame.f_lineno)
            if _is_own(name):
                return where, True
            nearest = nearest or where
        frame = frame.f_back
    return nearest, False


def _note(source: str, call: str, seed: "Any") -> None:
    try:
        if type(seed).__module__.startswith("numpy.random"):  # seeded when it was made, and noted then
            return
        line = sys._getframe(2)
        if os.path.basename(line.f_code.co_filename) == "random.py" and line.f_back is not None:
            line = line.f_back  # `Random(seed)` seeds from its own file
        place = (line.f_code.co_filename, line.f_lineno)
        _calls[place] = _calls.get(place, 0) + 1
        if _calls[place] > _CALLS_PER_LINE:  # a loop that seeds a million times is not slowed down
            return
        pid = os.getpid()
        forked = pid != _pid  # a worker: its seeds follow from its parent's, a few of them say enough
        noted = _noted.setdefault(pid, {})
        if sum(map(len, noted.values())) >= (_FORKED_AT_MOST if forked else _SEEDS_AT_MOST):
            return
        (where, own), text = _caller(), _text(seed)
        seeds = noted.setdefault((call, where), [])
        if text in seeds or len(seeds) >= _PER_PLACE:
            return
        seeds.append(text)
        row = {
            "kind": "seed",
            "source": source,
            "call": call,
            "seed": text,
            "where": where,
            "forked": forked,
            "own": own,
        }
        _write(row)
    except Exception:  # a seed that cannot be told must not stop the script
        return


def _dressed(made: "Any", original: "Any") -> "Any":
    """Give a wrapper the names of what it wraps."""
    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        try:
            setattr(made, name, getattr(original, name))
        except Exception:  # noqa: S112 (a built-in that lacks one)
            continue
    made.__wrapped__ = original
    return made


def _wrapped(original: "Any", source: str, call: str, names: "tuple[str, ...]") -> "Any":
    """Return a function that notes its seed and then does what the original does."""

    def seeding(*args: "Any", **kwargs: "Any") -> "Any":
        given = args[0] if args else next((kwargs[name] for name in names if name in kwargs), None)
        _note(source, call, given)
        return original(*args, **kwargs)

    return _dressed(seeding, original)


def _wrap(module: "Any", source: str, path: str, names: "tuple[str, ...]" = ("seed",)) -> None:
    """Wrap `module.path` (dots lead into attributes), where there is such a function."""
    *way, last = path.split(".")
    for part in way:
        module = getattr(module, part, None)
    original = getattr(module, last, None)
    if callable(original) and getattr(original, "__wrapped__", None) is None:
        setattr(module, last, _wrapped(original, source, source + "." + path, names))


def _random(module: "Any") -> None:
    """`random.seed` and `random.Random(seed)`: both end in the method `Random.seed`."""
    original = module.Random.seed

    def seed(self: "Any", *args: "Any", **kwargs: "Any") -> "Any":
        given = args[0] if args else kwargs.get("a")
        if self is getattr(module, "_inst", None):
            _note("random", "random.seed", given)
        elif given is not None:  # an unseeded generator of its own is made by many a library
            _note("random", "random.Random", given)
        return original(self, *args, **kwargs)

    module.Random.seed = _dressed(seed, original)
    module.seed = module._inst.seed


def _numpy(module: "Any") -> None:
    """`numpy.random.seed`, `default_rng`, and the classes that are seeded when they are made: they must stay classes, others ask `isinstance` of them."""
    _wrap(module, "numpy.random", "seed")
    _wrap(module, "numpy.random", "default_rng")
    for name in ("RandomState", "SeedSequence", "PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"):
        _watch_class(module, name)


def _watch_class(module: "Any", name: str) -> None:
    found = getattr(module, name, None)
    if not isinstance(found, type):
        return
    original = found  # type: type

    class Meta(type):
        def __call__(cls, *args: "Any", **kwargs: "Any") -> "Any":
            given = (
                args[0] if args else next((kwargs[one] for one in ("seed", "entropy", "key") if one in kwargs), None)
            )
            if given is not None:
                _note("numpy.random", "numpy.random." + name, given)
            return original(*args, **kwargs) if cls is made else type.__call__(cls, *args, **kwargs)

        def __instancecheck__(cls, one: "Any") -> bool:
            return isinstance(one, original) if cls is made else type.__instancecheck__(cls, one)

        def __subclasscheck__(cls, one: "Any") -> bool:
            return issubclass(one, original) if cls is made else type.__subclasscheck__(cls, one)

    # What is made of the original is pickled with that by its own name, so it stays where it was; this one is found by its name here.
    made = Meta(name, (original,), {"__doc__": original.__doc__, "__module__": module.__name__})
    setattr(module, name, made)


def _torch(module: "Any") -> None:
    _wrap(module, "torch", "manual_seed")
    _wrap(module, "torch", "random.manual_seed")
    _wrap(module, "torch", "cuda.manual_seed")
    _wrap(module, "torch", "cuda.manual_seed_all")


def _tensorflow(module: "Any") -> None:
    _wrap(module, "tensorflow", "random.set_seed")
    _wrap(module, "tensorflow", "compat.v1.set_random_seed")
    _wrap(module, "tensorflow", "keras.utils.set_random_seed")


def _jax(module: "Any") -> None:
    _wrap(module, "jax.random", "PRNGKey")
    _wrap(module, "jax.random", "key")


_HOOKS = {
    "random": _random, "numpy.random": _numpy, "torch": _torch, "tensorflow": _tensorflow, "jax.random": _jax,
}  # type: dict[str, Any]  # fmt: skip


_busy = set()  # type: set[str]


class _Finder:
    """Finds nothing itself: it asks the finders after it, and has the loader of a watched module call the hook when it is done."""

    @classmethod
    def find_spec(cls, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        """Return the spec that the other finders give, its loader told to call the hook afterwards; None for what is not watched."""
        if name not in _HOOKS or name in _busy:
            return None
        _busy.add(name)
        try:
            for finder in list(sys.meta_path):
                ask = getattr(finder, "find_spec", None)
                spec = ask(name, path, target) if ask is not None and finder is not cls else None
                if spec is not None:
                    _hook_loader(spec.loader, name)
                    return spec
            return None
        finally:
            _busy.discard(name)


def _hook_loader(loader: "Any", name: str) -> None:
    execute = getattr(loader, "exec_module", None)
    if execute is None or isinstance(loader, type):
        return

    def exec_module(module: "ModuleType") -> None:
        try:
            del loader.exec_module  # the loader is as it was from here on
        except AttributeError:
            pass
        execute(module)
        try:
            _HOOKS.pop(name, lambda _: None)(module)
        except Exception:  # another version of the library: its seeds are not seen
            return

    try:
        loader.exec_module = exec_module
    except Exception:  # a loader that takes no attribute
        return


def _variables() -> "dict[str, str]":
    """Return the variables that steer randomness and threads, as they are here: a shell or the script itself may have set them."""
    found = {}
    try:
        for name in list(os.environ):
            if name in _CONTROLS or name.endswith("_NUM_THREADS"):
                found[name[:100]] = os.environ[name][:200]
    except Exception:  # a script that put something else in its place
        return {}
    return dict(sorted(found.items())[:100])


def _start() -> "dict[str, Any]":
    return {
        "kind": "start", "ppid": os.getppid(), "executable": sys.executable, "prefix": sys.prefix,
        "version": ".".join(map(str, sys.version_info[:3])), "implementation": sys.implementation.name,
        "path": list(sys.path), "cwd": os.getcwd(), "hash_randomization": sys.flags.hash_randomization,
        "argv": list(getattr(sys, "orig_argv", ()))[:3], "env": _variables(),
    }  # fmt: skip


def _torch_state(torch: "Any") -> "dict[str, str]":
    asked = {  # type: dict[str, Any]
        "deterministic_algorithms": lambda: torch.are_deterministic_algorithms_enabled(),
        "cudnn_deterministic": lambda: torch.backends.cudnn.deterministic,
        "cudnn_benchmark": lambda: torch.backends.cudnn.benchmark,
        "num_threads": lambda: torch.get_num_threads(),
        "initial_seed": lambda: torch.initial_seed(),
        "cuda": lambda: torch.version.cuda,
    }
    found = {}
    for name, ask in asked.items():
        try:
            found[name] = str(ask())
        except Exception:  # noqa: S112 (a build without it)
            continue
    return found


def _local_modules() -> "list[str]":
    """Return the source files of modules that lie below the folder it began in, libraries left out: the script's own code."""
    found = set()
    apart = [
        one.rstrip(os.sep) + os.sep for one in (sys.prefix, sys.base_prefix)
    ]  # an interpreter may lie in the folder
    apart = [_HERE + os.sep] + [one for one in apart if one.startswith(_inside)]
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if isinstance(name, str) and name.endswith(".py"):
            name = os.path.abspath(name)
            own = name.startswith(_inside) and "site-packages" not in name and not name.startswith(tuple(apart))
            if own and os.path.isfile(name):  # torch names files that are nowhere
                found.add(name)
    return sorted(found)[:_MODULES_AT_MOST]


def _end(start: "dict[str, Any]") -> None:
    """Say at the end what was loaded and how it stood."""
    try:
        line = {"kind": "end", "loaded": [name for name in sorted(_GENERATORS) if name in sys.modules]}  # type: dict[str, Any]
        line["env"] = _variables()
        line["modules"] = _local_modules()
        line["path"] = [one for one in sys.path if isinstance(one, str) and one not in start["path"]]
        torch = sys.modules.get("torch")
        if torch is not None:
            line["torch"] = _torch_state(torch)
        _write(line)
    except Exception:  # at the end, too, the script's own exit code stands
        return


_GENERATORS = tuple(_HOOKS)


def _run_the_hidden_one() -> None:
    """Run the `sitecustomize` that Python would have run, if there is one; what it raises is Python's to tell."""
    mine = sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if getattr(error, "name", None) != "sitecustomize":
            raise
    finally:
        if mine is not None:
            sys.modules.setdefault("sitecustomize", mine)


def _begin() -> None:
    global _inside
    sys.path[:] = [one for one in sys.path if os.path.abspath(one or ".") != _HERE]
    if not _FILE:
        return
    line = _start()
    _inside = line["cwd"].rstrip(os.sep) + os.sep
    _write(line)
    for name in [name for name in _HOOKS if name in sys.modules]:  # a .pth file had it loaded already
        _HOOKS.pop(name)(sys.modules[name])
    sys.meta_path.insert(0, _Finder)
    atexit.register(_end, line)


try:
    _begin()
except Exception:  # noqa: S110 (the script goes on without being watched)
    pass
_run_the_hidden_one()
