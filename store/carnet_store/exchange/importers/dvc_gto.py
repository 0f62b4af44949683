"""A registry of model versions as GTO keeps it: in the names of git tags.

`churn@v1.2.0` registers a version, `churn#prod#3` assigns a stage to the version registered at the tag's commit, a `!` takes either back
(`churn@v1.2.0!`, `churn#prod!#4`), `churn@deprecated` lays the artifact to rest; `dir=churn` is the artifact `dir:churn`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from carnet_store.exchange.importers.git_reading import Tag
from carnet_store.exchange.importers.things import Unread

_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9/_-]*[A-Za-z0-9])?"
_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_TAG: Final = re.compile(
    rf"(?P<name>(?:[A-Za-z0-9_./-]+=)?{_NAME})"
    rf"(?:@(?P<version>v{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)(?P<gone>!?)"
    rf"|\#(?P<stage>{_NAME})(?P<left>!?)|@(?P<word>deprecated|created))(?:\#(?P<count>[0-9]{{1,9}}))?\Z",
    re.ASCII,
)  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """What one tag says.

    Attributes:
        at: ms since 1970. `count`: the number at the tag's end, 0 where it has none.
        event: registration, deregistration, assignment, unassignment or deprecation.
    """

    at: int
    count: int
    tag: str
    event: str
    artifact: str
    version: str
    stage: str
    commit: str
    author: str

    def value(self) -> dict[str, Any]:
        """Return it as an attribute holds it."""
        found: dict[str, Any] = {"event": self.event, "at": self.at, "author": self.author, "tag": self.tag}
        return found | ({"stage": self.stage} if self.stage else {})


@dataclass(slots=True)
class Version:
    """A registered version.

    Attributes:
        registered: when and by whom; `history` has all events about it, oldest first.
        stages: those that it stands in now, sorted.
        gone: it was registered and taken back. `deprecated`: its artifact was laid to rest.
    """

    artifact: str
    version: str
    commit: str
    registered: Event
    history: list[Event] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    gone: bool = False
    deprecated: bool = False


def event_of(tag: Tag) -> Event | None:
    """Return what a tag says, None where it is none of GTO's."""
    found = _TAG.match(tag.name)
    if found is None or found["word"] == "created":
        return None
    if found["version"]:
        kind = "deregistration" if found["gone"] else "registration"
    elif found["stage"]:
        kind = "unassignment" if found["left"] else "assignment"
    else:
        kind = "deprecation"
    return Event(
        tag.at, int(found["count"] or 0), tag.name, kind, found["name"].replace("=", ":"), found["version"] or "", found["stage"] or "",
        tag.commit, tag.tagger,
    )  # fmt: skip


def registry(tags: Iterable[Tag]) -> tuple[list[Version], list[Unread]]:
    """Return the versions that tags register, in the order of their registration, and the tags that speak of none."""
    events = sorted(event for event in map(event_of, tags) if event is not None)
    found: dict[tuple[str, str, str], Version] = {}
    for event in events:
        if event.event == "registration":
            key = (event.artifact, event.version, event.commit)
            found.setdefault(key, Version(event.artifact, event.version, event.commit, event))
    unread: list[Unread] = []
    by_name: dict[str, list[Version]] = {}
    by_commit: dict[tuple[str, str], list[Version]] = {}
    for version in found.values():
        by_name.setdefault(version.artifact, []).append(version)
        by_commit.setdefault((version.artifact, version.commit), []).append(version)
    for event in events:
        here = by_commit.get((event.artifact, event.commit), [])
        if event.event == "deprecation":
            meant = by_name.get(event.artifact, [])
        elif event.version:
            exact = found.get((event.artifact, event.version, event.commit))
            meant = (
                [exact]
                if exact is not None
                else [one for one in by_name.get(event.artifact, []) if one.version == event.version]
            )
        else:  # of several at one commit, the one registered last before it
            meant = ([one for one in here if one.registered <= event] or here)[-1:]
        if not meant:
            why = "no version is registered at its commit" if event.stage else "no version of this name is registered"
            unread.append(Unread(f"tag {event.tag}", why))
        for version in meant:
            version.history.append(event)
            if event.event in ("registration", "deregistration"):
                version.gone = event.event == "deregistration"
            elif event.event == "deprecation":
                version.deprecated = True
    holders: dict[tuple[str, str], tuple[Event, Version]] = {}
    for version in found.values():
        last = {event.stage: event for event in version.history if event.stage}
        for stage, event in last.items():
            place = (version.artifact, stage)
            if event.event == "assignment" and not version.gone and (place not in holders or holders[place][0] < event):
                holders[place] = (event, version)
    for (_, stage), (_, version) in sorted(holders.items(), key=lambda row: row[0]):
        version.stages.append(stage)
    return list(found.values()), unread
