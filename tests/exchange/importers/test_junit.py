"""Test results: what pytest itself writes, other tools' variants, and XML made to do harm."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from carnet_store.core import canonical
from carnet_store.errors import Invalid
from carnet_store.exchange.capturing import _fact
from carnet_store.exchange.importers import junit
from carnet_store.exchange.importers.things import Source, Thing, Unread

TESTS = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def about(record_testsuite_property):
    record_testsuite_property("commit", "abc123")
    record_testsuite_property("größe", "8")

@pytest.fixture
def ends_badly():
    yield
    raise RuntimeError("torn down")

def test_good(): pass

@pytest.mark.parametrize("n", [1, 2])
def test_more(n): pass

def test_bad(): assert 1 == 2, "größe <b>☃</b>"

class TestIn:
    def test_deep(self): raise ValueError("x" * 500)

def test_error(nowhere): pass

def test_down(ends_badly): pass

@pytest.mark.skip(reason="later")
def test_skipped(): pass

@pytest.mark.xfail
def test_expected(): assert 0
"""

SUREFIRE = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" name="com.acme.ChurnTest" time="1,234.5" tests="5" errors="1" skipped="1" failures="1">
  <properties><property name="java.version" value="21"/><property name="user.home" value="/home/ana"/></properties>
  <testcase name="a" classname="com.acme.ChurnTest" time="0.1"/>
  <testcase name="b" classname="com.acme.ChurnTest"><failure type="java.lang.AssertionError">expected: 1
    at line 3</failure></testcase>
  <testcase name="c" classname="com.acme.ChurnTest"><error message="boom" type="java.io.IOException">trace</error></testcase>
  <testcase name="d" classname="com.acme.ChurnTest"><skipped/></testcase>
  <testcase name="e" classname="com.acme.ChurnTest"><flakyFailure message="once"/><system-out><![CDATA[<failure/>]]></system-out></testcase>
</testsuite>
"""


def read(path: Path) -> tuple[list[Thing], list[Unread]]:
    found = list(junit.read(Source(path)))
    things = [one for one in found if isinstance(one, Thing)]
    for thing in things:  # each must be able to stand in a ledger
        canonical.encode(dict(_fact(thing, []).value))
    return things, [one for one in found if isinstance(one, Unread)]


def one(tmp_path: Path, text: str | bytes, name: str = "report.xml") -> Thing:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(tmp_path / name)[0][0]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the real pytest writes of the tests above."""
    folder = tmp_path_factory.mktemp("real-pytest")
    (folder / "test_it.py").write_text(TESTS)
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        ".",
        "--junitxml=out.xml",
        "test_it.py",
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**plain, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed, 4 passed, 1 skipped, 1 xfailed" in done.stdout, done.stdout
    return folder / "out.xml"


def test_what_pytest_writes(report: Path) -> None:
    """The counts of pytest's own summary, what failed and with what; no host name."""
    things, unread = read(report)
    (thing,) = things
    assert unread == []
    # A test that passed and was torn down badly is one case in the file, an error: so four passed become three.
    counts = {key: thing.attrs[key] for key in ("tests", "passed", "failures", "errors", "skipped")}
    assert counts == {"tests": 9, "passed": 3, "failures": 2, "errors": 2, "skipped": 2}
    assert thing.attrs["outcome"] == "failed"
    assert thing.attrs["failed"][0] == "test_it.test_bad: AssertionError: größe <b>☃</b> assert 1 == 2"
    assert thing.attrs["failed"][1].startswith("test_it.TestIn.test_deep: ValueError: xxx")
    assert len(thing.attrs["failed"][1]) < 250
    assert [line.partition(":")[0] for line in thing.attrs["failed"][2:]] == ["test_it.test_error", "test_it.test_down"]
    assert thing.attrs["properties"] == {"commit": "abc123", "größe": "8"}
    assert "hostname" not in repr(thing.attrs) and float(thing.attrs["time"]) > 0
    assert {m["name"]: m["value"] for m in thing.metrics} == {"passed": "3", "failed": "4", "skipped": "2"}
    assert thing.at > 1_700_000_000_000


def test_a_report_is_a_check_known_by_its_bytes(report: Path) -> None:
    """Two imports meet on the digest; the report travels along; a guess counts without parsing."""
    thing = read(report.parent)[0][0]
    raw = report.read_bytes()
    assert thing.ref == ("check", "junit", hashlib.sha256(raw).hexdigest())
    assert thing.digests == {"sha256": thing.ref.key} and thing.keep[0].data == raw
    guess = junit.guess(report.parent)
    assert guess is not None and guess.words == "test results out.xml, 9 tests" and guess.kind == "junit"


def test_a_suite_at_the_root_as_surefire_writes_it(tmp_path: Path) -> None:
    """Times with commas, text instead of a message, a test that passed at the second try, markup in captured output."""
    thing = one(tmp_path, SUREFIRE, "TEST-com.acme.ChurnTest.xml")
    assert [thing.attrs[key] for key in ("tests", "passed", "failures", "errors", "skipped", "flaky")] == [
        5,
        2,
        1,
        1,
        1,
        1,
    ]
    assert thing.attrs["failed"] == ["com.acme.ChurnTest.b: java.lang.AssertionError", "com.acme.ChurnTest.c: boom"]
    assert thing.attrs["time"] == "1234.5" and thing.attrs["suites"] == ["com.acme.ChurnTest"]
    assert thing.attrs["properties"] == {"java.version": "21"}, "who ran it where is left out"


def test_only_what_passed_in_the_end_is_flaky(tmp_path: Path) -> None:
    """Repeated and still failing is a failure; repeated and then passed is a pass, and counted as flaky."""
    thing = one(
        tmp_path,
        "<testsuite tests='2'><testcase name='a'><failure message='m'/><rerunFailure message='n'/></testcase>"
        "<testcase name='b'><rerunError message='n'/></testcase></testsuite>",
    )
    assert [thing.attrs[key] for key in ("passed", "failures", "flaky")] == [1, 1, 1]
    assert thing.attrs["failed"] == ["a: m"]


def test_text_stands_in_for_a_message(tmp_path: Path) -> None:
    """Where a failure has neither message nor type, its text is taken, on one line."""
    thing = one(tmp_path, "<testsuite><testcase name='a'><failure>first\n  second</failure></testcase></testsuite>")
    assert thing.attrs["failed"] == ["a: first second"]


def test_nested_suites_and_gtest(tmp_path: Path) -> None:
    """The outermost suites speak for those within; what gtest did not run is skipped."""
    thing = one(
        tmp_path,
        "<testsuites tests='3' failures='1' time='2'><testsuite name='o' tests='3' time='9'><testsuite name='i' tests='2'>"
        "<testcase name='a' status='run'/><testcase name='b' status='notrun'/></testsuite><testcase name='c'><failure message='m'/></testcase>"
        "</testsuite></testsuites>",
    )
    assert [thing.attrs[key] for key in ("tests", "passed", "failures", "skipped")] == [3, 1, 1, 1]
    assert "disagrees" not in thing.attrs and thing.attrs["time"] == "2" and thing.attrs["suites"] == ["o", "i"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<testsuite tests='2'><testcase name='a'/></testsuite>", "says 2 tests and holds 1"),
        (
            "<testsuites><testsuite tests='1' failures='1'><testcase name='a'/></testsuite></testsuites>",
            "says 1 failures",
        ),
        ("<testsuites errors='1'/>", "says 1 failures and errors and holds 0"),
    ],
)
def test_a_file_that_claims_more_than_it_holds_is_no_pass(tmp_path: Path, text: str, said: str) -> None:
    """Cut or changed by hand: it is told, and taken as failed."""
    (tmp_path / "report.xml").write_text(text)
    things, unread = read(tmp_path)
    assert things[0].attrs["outcome"] == "failed" and said in things[0].attrs["disagrees"] and said in unread[0].why


def test_outcomes(tmp_path: Path) -> None:
    """All passed is passed; nothing that ran is empty, never passed."""
    assert one(tmp_path, "<testsuite tests='1'><testcase name='a'/></testsuite>").attrs["outcome"] == "passed"
    for text in ("<testsuites/>", "<testsuite tests='1'><testcase name='a'><skipped/></testcase></testsuite>"):
        assert one(tmp_path, text).attrs["outcome"] == "empty"


LAUGHS = (
    "<!DOCTYPE x [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY a{i} '{'&a;' * 10}'>" for i in range(9))
    + "]><testsuite>&a8;</testsuite>"
)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (LAUGHS.encode(), "document type"),
        (b"<!DOCTYPE testsuite SYSTEM 'file:///etc/passwd'><testsuite/>", "document type"),
        (b"<!DOCTYPE t [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><testsuite>&x;</testsuite>", "document type"),
        (LAUGHS.encode("utf-16"), "document type"),
        (b"<testsuite>" + b"<a>" * 100_000, "nested deeper"),
        (b"<testsuite>&nbsp;</testsuite>", "not XML"),
        (b"<testsuite><testcase></testsuite>", "report.xml:1: is not XML"),
        (b"<testsuite>\n<testcase name='a'/>\n", "report.xml:3: is not XML"),
        (b"<html/>", "it begins with <html>"),
        (b"", "not XML"),
        (b"<?xml version='1.0' encoding='klingon'?><testsuite/>", "not XML"),
        (b"<testsuite>\xff\xfe</testsuite>", "not XML"),
    ],
)
def test_xml_made_to_do_harm_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    """No entity is expanded, nothing outside is opened, no depth is followed; what is broken names its line."""
    (tmp_path / "report.xml").write_bytes(data)
    with pytest.raises(Invalid, match=said):
        read(tmp_path / "report.xml")


def test_other_xml_is_left_alone(tmp_path: Path) -> None:
    """A folder with a pom.xml is not full of errors; a broken report there is told and the good one read."""
    (tmp_path / "pom.xml").write_text("<project/>")
    assert junit.guess(tmp_path) is None
    with pytest.raises(Invalid, match="no test results"):
        read(tmp_path)
    (tmp_path / "a.xml").write_text("<testsuite><testcase name='x'/></testsuite>")
    (tmp_path / "b.xml").write_text("<testsuite><testcase")
    things, unread = read(tmp_path)
    assert [thing.name for thing in things] == ["a.xml"] and "b.xml:1" in unread[0].where


def test_a_secret_in_what_a_test_printed(tmp_path: Path) -> None:
    """Captured output is not read, but it would travel with the file."""
    thing = one(
        tmp_path, "<testsuite><testcase name='a'/><system-out>GET https://ana:hush@host/</system-out></testsuite>"
    )
    assert thing.attrs["redacted"] is True and thing.keep == []


@pytest.mark.parametrize(
    "given",
    ['name="api_key" value="hush"', 'name="db" value="postgres://ana:hush@host/"', 'name="x.password" value="hush"'],
)
def test_no_secret_enters_the_record(tmp_path: Path, given: str) -> None:
    """Builds write every property of their machine: a secret among them keeps the file from travelling, and that is said."""
    thing = one(tmp_path, f"<testsuite><properties><property {given}/></properties><testcase name='a'/></testsuite>")
    assert "hush" not in repr(thing) and thing.attrs["redacted"] is True and thing.keep == []


def test_ten_thousand_tests(tmp_path: Path) -> None:
    """A hundred failures are named, the others counted; messages are cut; wide characters stay."""
    cases = "".join(
        f"<testcase classname='c' name='{i}'><failure message='數{'x' * 5_000}'/></testcase>" for i in range(1_000)
    )
    passed = "<testcase name='ok'/>" * 9_000
    thing = one(tmp_path, f"<testsuite tests='10000'>{cases}{passed}</testsuite>")
    assert thing.attrs["tests"] == 10_000 and thing.attrs["failures"] == 1_000
    assert len(thing.attrs["failed"]) == 100 and thing.attrs["failed_left_out"] == 900
    assert len(canonical.encode(thing.attrs)) < 60_000


def test_damage_ends_in_a_message_or_in_things(report: Path, tmp_path: Path) -> None:
    """Torn and flipped files are read or refused, never anything else; a torn one is never read as passed."""
    chance = random.Random(11)
    path = tmp_path / "report.xml"
    for turn in range(200):
        good = SUREFIRE.encode() if turn % 2 else report.read_bytes()
        data = bytearray(good)
        if turn < 50:
            del data[chance.randrange(len(data) - 2) :]
        for _ in range(0 if turn < 50 else chance.choice((1, 1, 3, 20))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        junit.guess(path)
        try:
            things, _ = read(path)
        except Invalid:
            continue
        assert turn >= 50, "a torn file was read"
        assert things[0].digests == {"sha256": hashlib.sha256(data).hexdigest()}
