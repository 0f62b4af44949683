"""What `carnet run` costs over the bare command, on the clock: a command that ends at once, one that is busy for some seconds.

    python benchmarks/capture.py [--times 15] [--seconds 2]

The bar is for a command of ten seconds in an environment of a hundred packages: at most 150 ms and 3 % more. What is read while the command runs
costs nobody time, so a longer command is not made slower than those of two seconds that are measured here: one that waits, which the bar is for, and one
that is busy, whose time depends on what else the machine does. A command that ends at once waits for all that is read. Hashing of what it read and
wrote is apart: there is none here. Bare and captured take turns; a figure is the median.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from measuring import Row, carnet, compile_everything, medians, small_store, table

BAR_MS = 150.0
BAR_SHARE = 0.03
TEN_SECONDS_MS = 10_000.0
PACKAGES = 100
SCRIPT = """
import sys, time
if sys.argv[1] == "wait":
    time.sleep(float(sys.argv[2]))
end = time.process_time() + float(sys.argv[2])
while sys.argv[1] == "busy" and time.process_time() < end:
    sum(range(1000))
"""


def packages(folder: Path, count: int) -> Path:
    """Make a folder with so many installed distributions that have nothing but their names."""
    for number in range(count):
        place = folder / f"package_{number}-1.{number}.dist-info"
        place.mkdir(parents=True)
        (place / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: package-{number}\nVersion: 1.{number}\n\nLong words.\n" * 20
        )
    return folder


def clock_of(argv: list[str], cwd: Path, env: dict[str, str]) -> float:
    """Run a command to its end; return the time on the clock, ms."""
    began = time.perf_counter()
    done = subprocess.run(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    took = (time.perf_counter() - began) * 1000
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    return took


def repository(folder: Path) -> None:
    """Make the folder a repository with one commit and something changed on it."""
    git = ["git", "-c", "user.name=b", "-c", "user.email=b@example.org"]
    (folder / "script.py").write_text(SCRIPT)
    for words in (["init", "-q"], ["add", "script.py"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], cwd=folder, check=True, capture_output=True)
    (folder / "script.py").write_text(SCRIPT + "# changed\n")


def rows(times: int = 15, seconds: float = 2.0) -> list[Row]:
    """Measure, and return the lines of the table."""
    compile_everything()
    with tempfile.TemporaryDirectory() as folder:
        store, env = small_store(Path(folder))
        repository(store)
        env["PYTHONPATH"] = str(packages(Path(folder) / "packages", PACKAGES))
        python, program = sys.executable, carnet()
        commands = {
            "sh -c :": ["sh", "-c", ":"],
            "python -c pass": [python, "-c", "pass"],
            f"waits for {seconds:g} s": [python, "script.py", "wait", str(seconds)],
            f"busy for {seconds:g} s": [python, "script.py", "busy", str(seconds)],
        }

        def timed(words: list[str]) -> float:
            return clock_of(words, store, env)

        measures: dict[str, Callable[[], float]] = {}
        for name, words in commands.items():
            measures[name] = partial(timed, words)
            measures[f"{name}, captured"] = partial(timed, [program, "run", "--", *words])
            measures[f"{name}, captured without probe"] = partial(timed, [program, "run", "--no-probe", "--", *words])
        took = medians(measures, times)
    made = [
        Row(f"{name}, {how}", took[f"{name}, {how}"], beside="bare", other=took[name])
        for name in commands
        for how in ("captured", "captured without probe")
    ]
    waits = f"waits for {seconds:g} s"
    over = took[f"{waits}, captured"] - took[waits]
    made.append(Row("over the bare command that waits", over, bar=BAR_MS))
    made.append(Row("the same of ten seconds", 100 * over / TEN_SECONDS_MS, "%", bar=100 * BAR_SHARE))
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=2.0)
    chosen = parser.parse_args()
    print(table(rows(chosen.times, chosen.seconds)))
