"""Test results as JUnit XML (pytest, Surefire, gtest and others) as checks: how many passed, which failed and with what.

Rules: a document type or an entity is refused before it is expanded, nothing outside the file is opened, size and depth are limited; what is
counted is the test cases that are there, and where the file says otherwise of itself, that is told. Host names are left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from carnet_store.exchange.importers.files import (
    KEPT,
    MIB,
    Unreadable,
    each,
    guessed,
    head,
    read_bytes,
    redacted,
    short,
    sound,
    time_ms,
)
from carnet_store.exchange.importers.scrub import NOT_TAKEN, secret
from carnet_store.exchange.importers.things import Guess, Keep, Ref, Source, Thing, Unread, metric, plain

MOST: Final = 64 * MIB
MOST_DEPTH: Final = 64
MOST_FAILED: Final = 100
MOST_PROPERTIES: Final = 100
MOST_SUITES: Final = 50
OUTCOMES: Final = ("passed", "failures", "errors", "skipped")
_SNIFFED: Final = 8_192
_SUITE: Final = re.compile(rb"<testsuites?[\s>/]")
_COUNT: Final = re.compile(rb"""<testsuites?\s[^>]*?\btests=["'](\d{1,9})["']""")
_PRIVATE: Final = re.compile(r"user[._](?:name|home|dir)|host|HOSTNAME|COMPUTERNAME", re.IGNORECASE)
_CASE_ENDS: Final = {"failure": "failures", "error": "errors", "skipped": "skipped"}
_AGAIN: Final = ("flakyFailure", "flakyError", "rerunFailure", "rerunError")
_WORSE: Final = {"": 0, "skipped": 1, "failures": 2, "errors": 3}


def guess(path: Path) -> Guess | None:
    """Say in under 50 ms what test results `path` holds."""
    found, least = guessed(path, _fits)
    if not found:
        return None
    words = f"test results {sound(found[0].name)}" if len(found) == 1 else f"{least}{len(found)} files of test results"
    counts = [_COUNT.search(head(one, _SNIFFED)) for one in found[:200]]
    if len(found) <= 200 and all(counts):
        words += f", {sum(int(one[1]) for one in counts if one):,} tests"
    return Guess("junit", words, len(found))


def read(source: Source) -> Iterator[Thing | Unread]:
    """Yield each file of test results as a check.

    Raises:
        Invalid: no such file is there, or the one file cannot be read.
    """
    yield from each(source, "test results (JUnit XML)", _fits, _read)


def _fits(path: Path) -> bool:
    return path.name.lower().endswith(".xml") and _SUITE.search(head(path, _SNIFFED)) is not None


def _read(path: Path) -> Iterator[Thing | Unread]:
    where = str(path)
    raw = read_bytes(path, MOST)
    report = _Report(where)
    report.parse(raw)
    said = raw.decode("utf-8", "replace")
    report.secret = report.secret or redacted(said) != said
    digest = hashlib.sha256(raw).hexdigest()
    counts = report.counts
    failed = counts["failures"] + counts["errors"]
    attrs: dict[str, Any] = {
        "type": "tests",
        "outcome": "failed" if failed or report.disagrees else "passed" if counts["passed"] else "empty",
        "tests": sum(counts.values()),
        **{name: counts[name] for name in OUTCOMES},
        "flaky": report.flaky,
        "time": report.time(),
        "suites": report.suites,
        "failed": report.failed,
        "failed_left_out": failed - len(report.failed),
        "disagrees": report.disagrees,
        "properties": report.properties,
        "properties_left_out": report.properties_left_out,
        "redacted": report.secret,
    }
    always = ("tests", *OUTCOMES)
    thing = Thing(
        Ref("check", "junit", digest),
        sound(path.name),
        attrs=plain({key: value for key, value in attrs.items() if value or key in always}),
        digests={"sha256": digest},
        metrics=[metric("passed", counts["passed"]), metric("failed", failed), metric("skipped", counts["skipped"])],
        at=report.at,
        where=where,
    )
    if not report.secret and len(raw) <= KEPT:
        thing.keep.append(Keep("report", sound(path.name), raw))
    yield thing
    if report.disagrees:
        yield Unread(where, f"{report.disagrees}: it is taken as failed")


@dataclass(slots=True)
class _Case:
    """The test case that is being read."""

    name: str
    depth: int
    outcome: str = ""
    message: str = ""
    flaky: bool = False


class _Report:
    """What a file says, gathered while it is parsed: no tree is built."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.counts = dict.fromkeys(OUTCOMES, 0)
        self.failed: list[str] = []
        self.suites: list[str] = []
        self.properties: dict[str, str] = {}
        self.properties_left_out = 0
        self.flaky = 0
        self.at = 0
        self.disagrees = ""
        self.secret = False
        self._open: list[str] = []
        self._case: _Case | None = None
        self._text: list[str] | None = None
        self._property = ""
        self._declared: dict[str, int] = {}
        self._times: dict[int, Decimal] = {}

    def parse(self, raw: bytes) -> None:
        """Parse the whole file.

        Raises:
            Unreadable: no JUnit XML, broken, or with a document type.
        """
        from xml.parsers import expat

        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse
        parser.StartElementHandler = lambda tag, attrs: self._begin(tag, attrs, parser.CurrentLineNumber)
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._said
        try:
            parser.Parse(raw, True)
        except expat.ExpatError as error:
            raise Unreadable(f"{self.where}:{error.lineno}", f"is not XML: {expat.ErrorString(error.code)}") from None
        except (ValueError, LookupError) as error:  # an encoding that nobody knows
            raise Unreadable(self.where, f"is not XML that can be read: {error}") from None
        self._compare()

    def _refuse(self, *_: Any) -> Any:
        raise Unreadable(
            self.where,
            "declares a document type or an entity, which no test tool writes",
            "have the tests write it anew",
        )

    def _begin(self, tag: str, attrs: dict[str, str], line: int) -> None:
        if not self._open and tag not in ("testsuites", "testsuite"):
            raise Unreadable(f"{self.where}:{line}", f"is no JUnit XML: it begins with <{short(tag, 40)}>")
        if len(self._open) >= MOST_DEPTH:
            raise Unreadable(f"{self.where}:{line}", f"is nested deeper than {MOST_DEPTH}")
        depth = len(self._open)
        self._open.append(tag)
        if tag in ("testsuites", "testsuite"):
            self._suite(tag, attrs, depth)
        elif tag == "testcase" and self._case is None:
            name = ".".join(part for part in (attrs.get("classname", ""), attrs.get("name", "")) if part)
            self._case = _Case(short(name, 300) or "(no name)", depth)
            if attrs.get("status") in ("notrun", "disabled"):  # gtest
                self._case.outcome = "skipped"
        elif self._case is not None and depth == self._case.depth + 1:
            self._ending(tag, attrs)
        elif tag == "property" and self._case is None:
            self._property, self._text = attrs.get("name", ""), [attrs.get("value", "")]

    def _ending(self, tag: str, attrs: dict[str, str]) -> None:
        """Take up what a test case ended with; the worst of several counts."""
        case = self._case
        assert case is not None  # noqa: S101 (the caller has looked)
        if tag in _AGAIN:
            case.flaky = True
        outcome = _CASE_ENDS.get(tag, "")
        if _WORSE[outcome] > _WORSE[case.outcome]:
            case.outcome, case.message = outcome, attrs.get("message") or attrs.get("type") or ""
            self._text = [] if not case.message else None

    def _said(self, text: str) -> None:
        if self._text is not None and sum(map(len, self._text)) < 2_000:
            self._text.append(text)

    def _end(self, tag: str) -> None:
        self._open.pop()
        case, depth = self._case, len(self._open)
        if tag == "property" and self._property:
            self._keep_property(self._property, "".join(self._text or ()).strip())
            self._property, self._text = "", None
        elif case is not None and depth == case.depth + 1 and self._text is not None:
            case.message, self._text = "".join(self._text).strip(), None
        elif case is not None and depth == case.depth:
            self._count(case)
            self._case = None

    def _count(self, case: _Case) -> None:
        self.counts[case.outcome or "passed"] += 1
        self.flaky += case.flaky and not case.outcome  # it passed, but not at once
        if case.outcome in ("failures", "errors") and len(self.failed) < MOST_FAILED:
            message = short(" ".join(case.message.split()))
            self.failed.append(f"{case.name}: {message}" if message else case.name)

    def _suite(self, tag: str, attrs: dict[str, str], depth: int) -> None:
        name = short(attrs.get("name", ""), 120)
        if tag == "testsuite" and name and name not in self.suites[-1:] and len(self.suites) < MOST_SUITES:
            self.suites.append(name)
        if (when := time_ms(attrs.get("timestamp"))) and not 0 < self.at < when:
            self.at = when
        time = attrs.get("time", "").replace(",", "")  # Surefire writes 1,234.5
        if re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,12})?", time) and depth < 2:
            self._times[depth] = self._times.get(depth, Decimal(0)) + Decimal(time)
        # The outermost suites speak for those within.
        if depth == 0 or (depth == 1 and not self._declared.get("root")):
            for key in ("tests", "failures", "errors"):
                if re.fullmatch(r"[0-9]{1,9}", given := attrs.get(key, "")):
                    self._declared[key] = self._declared.get(key, 0) + int(given)
                    if depth == 0:
                        self._declared["root"] = 1

    def _keep_property(self, name: str, value: str) -> None:
        if secret(name) and value:
            self.secret, value = True, NOT_TAKEN
        elif redacted(value) != value:
            self.secret, value = True, redacted(value)
        if _PRIVATE.search(name):
            return
        if len(self.properties) < MOST_PROPERTIES:
            self.properties[short(name, 120)] = short(value)
        else:
            self.properties_left_out += 1

    def time(self) -> str:
        """Return the seconds that the whole took, as the file says; nothing where it does not."""
        try:
            return f"{self._times[min(self._times)].normalize():f}" if self._times else ""
        except InvalidOperation:
            return ""

    def _compare(self) -> None:
        """Tell where the file claims other numbers of itself than it holds: it was cut, or changed by hand."""
        tests, bad = sum(self.counts.values()), self.counts["failures"] + self.counts["errors"]
        says = self._declared
        if says.get("tests", tests) > tests:
            self.disagrees = f"says {says['tests']:,} tests and holds {tests:,}"
        elif (claimed := says.get("failures", 0) + says.get("errors", 0)) > bad:
            self.disagrees = f"says {claimed:,} failures and errors and holds {bad:,}"
