"""The story of `churn-telco`, played through the product's own front door on three replicas (SAMPLES: README.md).

`Story` holds the teams; `tell` plays it up to the day of the demo, `finish` to its end. Every figure is read from `runs/` or is the output of a script that ran.
People, dates, latencies and the minutes of the drills are invented.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from replica import Clock, Person, Replica

PROJECT_NAME = "churn-telco"
DEMO_DAY = ("2026-04-15", "17:30")
DEMO_PERSON = "Tomasz"

RESEARCH = (
    Person("Ines Duarte", ("researcher",), "research"),
    Person("Farid Haddad", ("data_steward",), "research"),
    Person("Grace Lindqvist", ("product_owner", "risk_officer"), "product"),
    Person("Mbali Nkosi", ("validator",), "validation"),
)
ENGINEERING = (
    Person("Tomasz Wilk", ("ml_engineer",), "engineering"),
    Person("Petra Vogel", ("security",), "engineering"),
)
OPERATIONS = (Person("Aiko Mori", ("operator",), "operations"),)
PEOPLE = (*RESEARCH, *ENGINEERING, *OPERATIONS)

Output = Callable[[str], bytes]
"""Gives what a script printed when it ran, by the name of the step (`r-008`, `r-018`, `fallback`, `deploy`, `previous`)."""


class Story:
    """Three teams, a clock, and the ids of what has come to be, by a short name."""

    def __init__(self, folder: Path, output: Output) -> None:
        self.clock = Clock()
        self.clock.at("2026-02-16")
        self.research = Replica(folder / "research", "research", RESEARCH, self.clock)
        self.engineering = Replica(folder / "engineering", "engineering", ENGINEERING, self.clock)
        self.operations = Replica(folder / "operations", "operations", OPERATIONS, self.clock)
        self.ids: dict[str, str] = {}
        self.notes: dict[str, Any] = {}
        self.output = output
        self._post = folder / "post"
        self._post.mkdir()
        self._sent = 0

    @property
    def teams(self) -> tuple[Replica, ...]:
        """The replicas, research first."""
        return (self.research, self.engineering, self.operations)

    def close(self) -> None:
        """Close the stores."""
        for team in self.teams:
            team.close()

    def post(self, sender: Replica, who: str, *to: Replica) -> None:
        """Send a bundle from one team to others (all the others where none is named)."""
        self._sent += 1
        others = to or tuple(team for team in self.teams if team is not sender)
        sender.send(who, others, self._post / f"{self._sent:02}-from-{sender.team}.carnet.zip")


def tell(folder: Path, output: Output) -> Story:
    """Play the story into new stores under `folder`, up to the day with the conflict."""
    from . import fallback, first_gate, second_gate

    story = Story(folder, output)
    first_gate.gather(story)
    first_gate.research(story)
    first_gate.first_round(story)
    first_gate.second_round(story)
    second_gate.prepare(story)
    second_gate.drills_and_first_signatures(story)
    fallback.hand_over(story)
    second_gate.one_line_of_the_contract(story)
    second_gate.full_pack(story)
    second_gate.two_answers(story)
    return story


def finish(story: Story) -> None:
    """Play on from that day to the second gate, passed."""
    from . import second_gate

    second_gate.finish(story)
