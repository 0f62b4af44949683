"""How long until something is there: the first rows, the live screen, a command's answer. In processor time.

python benchmarks/start.py [--times 20]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from measuring import LIVE, Row, Screen, carnet, compile_everything, cpu_of, environment, medians, small_store, table

BARE = """
from textual.app import App
from textual.widgets import Footer, Header, Label

class Bare(App):
    def compose(self):
        yield Header()
        yield Label("one label")
        yield Footer()

Bare().run()
"""
PEERS = {"tig": [], "lazygit": [], "posting": []}
"""Programs of the same kind, measured where they are installed: command and its arguments."""


def rows(times: int = 20) -> list[Row]:
    """Measure, and return the lines of the table."""
    compile_everything()
    with tempfile.TemporaryDirectory() as folder:
        store, env = small_store(Path(folder))
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        python = sys.executable

        def first_rows() -> float:
            with Screen([carnet()], cwd=store, env=env) as screen:
                return screen.until(b"NEEDS YOU")

        def live(argv: list[str], cwd: Path, around: dict[str, str], drawn: bytes) -> float:
            with Screen(argv, cwd=cwd, env=around) as screen:
                screen.until(drawn)
                return screen.settle()

        def command(*words: str) -> float:
            return cpu_of([carnet(), *words], cwd=store, env=env)

        gate = "churn@2/engineering-to-operations"
        measures = {
            "sqlite3": lambda: cpu_of([python, "-c", "import sqlite3"]),
            "first rows": first_rows,
            "bare": lambda: live([python, str(bare)], store, environment(), b"one label"),
            "live": lambda: live([carnet()], store, env, LIVE),
            "gate": lambda: command("gate", gate),
            "verify": lambda: command("verify"),
            "status": lambda: command("status"),
            "version": lambda: command("--version"),
            "help": lambda: command("--help"),
        }
        peers = {name: argv for name, argv in PEERS.items() if shutil.which(name)}
        repository = Path(__file__).resolve().parent.parent
        for name, argv in peers.items():
            measures[name] = lambda name=name, argv=argv: live([name, *argv], repository, environment(), b"\x1b[")  # type: ignore[misc]
        took = medians(measures, times)
    return [
        Row(
            "first inbox rows",
            took["first rows"],
            beside="python -c 'import sqlite3'",
            other=took["sqlite3"],
            bar=2.5 * took["sqlite3"],
        ),
        Row("live screen", took["live"], beside="bare Textual app", other=took["bare"], bar=1.6 * took["bare"]),
        *(Row(f"live screen of {name}", took[name], beside="bare Textual app", other=took["bare"]) for name in peers),
        Row("carnet gate, small store", took["gate"], bar=350),
        Row("carnet verify, small store", took["verify"], bar=350),
        Row("carnet status, small store", took["status"]),
        Row("carnet --version", took["version"]),
        Row("carnet --help", took["help"]),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    print(table(rows(parser.parse_args().times)))
