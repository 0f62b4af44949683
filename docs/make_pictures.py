"""Makes docs/pictures/*.svg: the real terminal UI on the demo's store.

python docs/make_pictures.py           writes them
python docs/make_pictures.py --check   compares, exit 1 where one is not what the screens show now
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PICTURES: Final = Path(__file__).parent / "pictures"
SIZE: Final = (100, 30)
SHOWN: Final = {"inbox": (), "handoff": ("enter", "escape")}
"""Picture -> the keys that lead to it from the start; nothing is written by them."""


async def _screens(folder: Path) -> dict[str, str]:
    from carnet_tui.demo import open_demo, unpack
    from carnet_tui.glyphs import Glyphs
    from carnet_tui.live import CarnetApp

    demo = unpack(folder / "demo")
    found = {}
    for name, keys in SHOWN.items():
        with open_demo(demo, environ={}) as desk:
            app = CarnetApp(desk, glyphs=Glyphs(plain=False), folder=folder)
            async with app.run_test(size=SIZE) as pilot:
                for key in ("", *keys):
                    await pilot.press(*filter(None, (key,)))
                    for _ in range(4):
                        await pilot.pause(0.2)
                found[name] = app.export_screenshot(title="carnet demo")
    return found


def stripped(svg: str) -> str:
    """Return a picture that asks no server for fonts, with the same ids each time it is made."""
    svg = re.sub(r"(?s)\s*@font-face \{.*?\}", "", svg)
    svg = svg.replace("Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono")
    mark = re.search(r"terminal-\d+", svg)
    return re.sub(r"[ \t]+\n", "\n", svg.replace(mark[0], "terminal") if mark else svg).rstrip() + "\n"


def made() -> Iterator[tuple[Path, str]]:
    """Give each picture's file and what it is now."""
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
    for name in ("NO_COLOR", "CARNET_GLYPHS", "CARNET_THEME"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as folder:
        for name, svg in asyncio.run(_screens(Path(folder))).items():
            yield PICTURES / f"{name}.svg", stripped(svg)


def main() -> int:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    check = parser.parse_args().check
    other = 0
    for path, svg in made():
        if check:
            same = path.exists() and path.read_text(encoding="utf-8") == svg
            other += not same
            sys.stdout.write(f"{path.name}: {'as it is' if same else 'differs from the screen'}\n")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(svg, encoding="utf-8")
            sys.stdout.write(f"{path.name}: {len(svg):,} bytes\n")
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())
