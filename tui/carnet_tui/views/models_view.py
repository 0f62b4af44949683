"""Models: every version with the stage it stands at, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carnet_tui.glyphs import Glyphs
from carnet_tui.text import Line, clean, fit, fit_line, pad
from carnet_tui.views import words

if TYPE_CHECKING:
    from carnet_store import EntityRow

STAGES = ("research", "engineering", "production")
TRACK_CELLS = 13


@dataclass(frozen=True, slots=True)
class Crossing:
    """One handoff of a version: id, from and to stage, verdict, items done of all; whether a recall keeps it shut."""

    handoff: str
    start: str
    end: str
    verdict: str
    done: int
    total: int
    recalled: bool = False


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A version with its crossings, oldest first. `t` in ms; `bad` is `recalled` or `tainted` where it, or what it came from, is recalled."""

    entity: str
    title: str
    t: int
    crossings: tuple[Crossing, ...]
    bad: str = ""

    @property
    def stage(self) -> str:
        """Where it stands: the end of the last gate it passed."""
        found = [c.end for c in self.crossings if c.verdict in ("passed", "overridden")]
        return found[-1] if found else STAGES[0]

    @property
    def open(self) -> Crossing | None:
        """The crossing that is under way."""
        going = [c for c in self.crossings if c.verdict not in ("passed", "overridden", "abandoned")]
        return going[-1] if going else None


def model_row(row: EntityRow, crossings: Sequence[Crossing], bad: str = "") -> ModelRow:
    """Return a version's row."""
    shut = "recalled" if any(crossing.recalled for crossing in crossings) else ""
    return ModelRow(row.id, clean(row.title), row.t, tuple(crossings), bad or shut)


def track(row: ModelRow, glyphs: Glyphs) -> Line:
    """Return the stage track in a row: `✓━━◆──·──·`; done, here, ahead."""
    stages = STAGES if row.stage in STAGES else (row.stage,)
    at = stages.index(row.stage)
    line: Line = []
    for number in range(len(stages)):
        if number:
            going = number == at + 1 and row.open is not None
            line.append(
                (
                    glyphs["track done" if number <= at or going else "track"] * 3,
                    "accent" if going else "ok" if number <= at else "dim",
                )
            )
        if number < at:
            line.append((glyphs.state("passed")[0], "ok"))
        elif number == at:
            line.append((glyphs["here"], "accent"))
        else:
            line.append((glyphs["between"], "dim"))
    return line


def words_of(row: ModelRow) -> str:
    """Return where a version stands, in words."""
    if row.open is not None:
        gate = words.crossing(row.open.start, row.open.end)
        return f"{gate}: {row.open.verdict}, {row.open.done}/{row.open.total}"
    if row.crossings and row.crossings[-1].verdict == "abandoned":
        return f"in {clean(row.stage)}; its last handoff was ended"
    return f"in {clean(row.stage)}" + ("" if row.crossings else ", no handoff yet")


def model_line(row: ModelRow, cells: int, now: int, glyphs: Glyphs) -> Line:
    """Return a version as a line of `cells` cells."""
    dots = glyphs.ellipsis
    age = pad(words.ago(row.t, now), 5, ">")
    if cells < 60:
        return fit_line(
            [
                (pad(_named(row, glyphs), cells - 22, "<", dots) + " ", "bad" if row.bad else "bold"),
                *track(row, glyphs),
                (f"  {age} ", "dim"),
            ],
            cells,
            dots,
        )
    name = 22 if cells < 110 else 32
    drawn = track(row, glyphs)
    sign, word, red = glyphs.state(row.bad) if row.bad else ("", "", "")
    said = f"{sign} {word}; {words_of(row)}" if row.bad else words_of(row)
    state = fit(said, cells - name - 1 - TRACK_CELLS - 2 - 8, dots)
    style = red or (words.gate_state(row.open.verdict, glyphs)[2] if row.open else "")
    line: Line = [
        (pad(row.title, name, "<", dots) + " ", "bold"),
        *fit_line(drawn, TRACK_CELLS),
        (pad(state, cells - name - 1 - TRACK_CELLS - 8), style),
        (f"  {age} ", "dim"),
    ]
    return fit_line(line, cells, dots)


def _named(row: ModelRow, glyphs: Glyphs) -> str:
    """Return the name, on a small terminal with the sign of a recall: there is no room for the words."""
    return f"{glyphs.state(row.bad)[0]} {row.title}" if row.bad else row.title


def legend(glyphs: Glyphs) -> str:
    """Return what the signs of the track mean."""
    return f"{glyphs['here']} stands here  {glyphs.state('passed')[0]} passed  {glyphs['between']} ahead"
