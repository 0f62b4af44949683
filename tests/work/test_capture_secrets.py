"""Everything that would be signed is looked through; where a secret stands is told, and it can be taken out."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from carnet_store.work import capture_secrets
from carnet_store.work.capture import Captured, Kept, Thing

GITHUB = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
TOKEN = "q8Zt5Lw2Xc9Vb4Nm7Kj1"


def kept(name: str, path: str, data: str | bytes) -> Kept:
    raw = data.encode() if isinstance(data, str) else data
    return Kept(name, path, hashlib.sha256(raw).hexdigest(), len(raw), raw)


def captured(**fields: Any) -> Captured:
    return Captured("0" * 32, "r", 1, 0, "finished", **fields)


PATCH = "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x\n+y\ndiff --git a/b.py b/b.py\n--- a/b.py\n+++ b/b.py\n@@ -1 +1 @@\n-x\n"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"attrs": {"argv": ["train", "--lr", GITHUB]}}, "argument 2"),
        ({"attrs": {"argv": ["train", "--password", "hunter2x"]}}, "argument 2"),
        ({"attrs": {"argv": ["train", "--api-key=" + TOKEN]}}, "argument 1"),
        ({"attrs": {"argv": ["train", "API_KEY=" + TOKEN]}}, "argument 1"),
        ({"attrs": {"argv": ["train", "-c", f"x = '{GITHUB}'"]}}, "argument 2"),
        ({"params": {"lr": "0.1", "db.password": "hunter2x"}}, "parameter db.password"),
        ({"attrs": {"env": {"MY_TOKEN": TOKEN}}}, "environment variable MY_TOKEN"),
        ({"attrs": {"notes": [f"see {GITHUB}"]}}, "notes"),
        ({"attrs": {"seeds": {"random.seed": [GITHUB]}}}, "seeds, random.seed"),
        ({"things": [Thing("code", ("git", "x"), "src", attrs={"repository": "https://u:tok3nvalue@h.org/x"})]}, "code src, repository"),
        ({"things": [Thing("code", ("git", "x"), "src", keep=[kept("patch", "changes.patch", PATCH + f"+k = '{GITHUB}'\n")])]},
         "line 12 of the patch (of b.py)"),
        ({"things": [Thing("code", ("git", "x"), "src", keep=[kept("", "notes.txt", f"a\n\n{GITHUB}\n")])]},
         "line 3 of untracked file notes.txt"),
        ({"things": [Thing("dataset", ("file", "x"), "out.csv", keep=[kept("file", "out.csv", f"{GITHUB}")])]}, "line 1 of out.csv"),
        ({"keep": [kept("params_whole", "params.json", f'{{"token": "{TOKEN}"}}')]}, "line 1 of params.json"),
        ({"metrics": [{"name": "auc", "value": "1", "split": GITHUB}]}, "metric auc, split"),
    ],
)  # fmt: skip
def test_the_place_of_each_secret_is_told(fields: dict[str, Any], where: str) -> None:
    """Argument, parameter, variable, attribute, line of which file; taken out, nothing is found any more."""
    one = captured(**fields)
    found = capture_secrets.find(one)
    assert [row.where for row in found] == [where]
    assert GITHUB not in str(found[0])
    assert capture_secrets.take_out(one) == found
    assert one.redacted == 1
    assert capture_secrets.find(one) == []
    assert GITHUB not in repr(one)
    assert TOKEN not in repr(one)
    assert "hunter2x" not in repr(one)


def test_redacting_keeps_what_is_no_secret() -> None:
    """The flag stays, the value goes; an object with a secret is dropped, its neighbours are not."""
    one = captured(
        attrs={"argv": ["train", "--api-key", TOKEN, "--lr=0.1", f"--url=https://u:{TOKEN}@h.org/x"]}, params={"lr": "0.1"},
        things=[Thing("dataset", ("file", "x"), "o", keep=[kept("file", "a", GITHUB), kept("", "b", "fine")])],
    )  # fmt: skip
    capture_secrets.take_out(one)
    assert one.attrs["argv"] == ["train", "--api-key", "<redacted>", "--lr=0.1", "--url=https://u:<redacted>@h.org/x"]
    assert one.params == {"lr": "0.1"}
    assert [row.path for row in one.things[0].keep] == ["b"]
    assert one.redacted == 3


def test_an_ordinary_run_holds_none() -> None:
    """Digests, commits, keys of things, names of packages that speak of secrets."""
    digest = hashlib.sha256(b"x").hexdigest()
    one = captured(
        attrs={"argv": ["train", "--tokenizer", "Llama-2-7b-chat-hf", "--max_tokens", "1024", f"--digest={digest}", "--seed", "123456"],
               "env": {"PYTHONHASHSEED": "0"}, "inputs": [{"path": "a", "digests": {"sha256": digest}}], "code": {"commit": digest[:40]}},
        params={"tokenizer": "bert-base-uncased", "key": digest}, keep=[kept("listing", "files.sha256", f"{digest}  a\n")],
        things=[Thing("environment", ("packages", digest), "cpython-3.11", digest[:12],
                      {"packages": {"detect-secrets": "1.5.0rc1post20240101", "pytokens": "0.1"}}, keep=[kept("lock", "r.txt", "detect-secrets==1.5.0\n")])],
    )  # fmt: skip
    assert capture_secrets.find(one) == []


def test_binary_objects_are_left_alone_and_large_ones_are_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret in the last line of a large file is found at its line."""
    big = tmp_path / "big.txt"
    big.write_text("x,y\n" * 5000 + f"key,{GITHUB}\n")
    monkeypatch.setattr(capture_secrets, "CHUNK", 1000)
    one = captured(
        keep=[
            Kept("file", "big.txt", "0" * 64, big.stat().st_size, file=big),
            kept("m", "m.pkl", b"\0" + GITHUB[::-1].encode() + b" ghp_" + b"a1B2" * 9),
        ]
    )
    assert [row.where for row in capture_secrets.find(one)] == ["line 5001 of big.txt"]
    big.write_text("x" * 5000 + " " + GITHUB)
    assert {row.where for row in capture_secrets.find(one)} == {"line 1 of big.txt"}


def test_the_command_line_is_looked_at_before_anything_runs() -> None:
    """Of the variables only those that would be recorded matter."""
    environ = {"GITHUB_TOKEN": GITHUB, "MY_TOKEN": TOKEN, "OMP_NUM_THREADS": "4"}
    assert capture_secrets.in_command(["train", "--lr", "0.1"], environ, []) == []
    found = capture_secrets.in_command(["train", "--token", TOKEN], environ, ["MY_TOKEN"])
    assert [row.where for row in found] == ["argument 2", "environment variable MY_TOKEN"]


def test_what_was_looked_through_early_is_not_looked_through_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where nothing was found in the very same bytes."""
    from carnet_store.work.capture_code import Code

    clean, dirty = kept("patch", "p", "nothing here, whatever one reads"), kept("", "x.txt", GITHUB)
    code = Code(Path("/w"), text=clean.data or b"", sha256=clean.sha256, kept=[("x.txt", dirty.data or b"")])
    capture_secrets.read_early(code)
    capture_secrets.read_early(None)
    one = captured(things=[Thing("code", ("git", "x"), "src", keep=[clean, dirty])])
    assert [row.where for row in capture_secrets.find(one)] == ["line 1 of untracked file x.txt"]
    assert clean.sha256 in capture_secrets._CLEAN
    assert dirty.sha256 not in capture_secrets._CLEAN


def test_a_value_that_was_found_once_is_looked_for_everywhere() -> None:
    """In other texts, names and keys, in bytes, within JSON and addresses: nothing there tells what it is."""
    value = 'pa"ss 7z'
    one = captured(
        attrs={"argv": ["t", "--password", value, f"--note=it is {value}"], "seeds": {f"x {value}": "1"}, "notes": [f"no {value}"]},
        params={"password": value, "url": "http://h/?q=pa%22ss%207z"}, metrics=[{"name": "auc", "value": "1", "slice": value}], notes=[f"no {value}"],
        things=[
            Thing("dataset", ("file", "x"), f"out-{value}.bin", attrs={"path": f"out-{value}.bin"}, digests={"sha256": "0" * 64},
                  keep=[kept("file", f"out-{value}.bin", b"fine")]),
            Thing("dataset", ("file", "y"), "b", keep=[kept("file", "b.bin", b"\0\1" + value.encode()), kept("", "c.txt", value.encode("utf-16"))]),
            Thing("dataset", ("file", "z"), "c", keep=[kept("file", "d.json", '{"x": "pa\\"ss 7z"}'), kept("", "e.txt", "pa ss 7z")]),
        ],
    )  # fmt: skip
    found = capture_secrets.take_out(one)
    assert value not in repr(one) and "ss 7z" not in repr([one.attrs, one.params, one.metrics])
    assert [[row.path for row in thing.keep] for thing in one.things] == [["out-<redacted>.bin"], [], ["e.txt"]]
    assert one.things[0].digests == {"sha256": "0" * 64}
    assert one.notes[1:] == ["their bytes were left out, for they hold what looks like a secret: b.bin, c.txt, d.json"]
    assert one.attrs["notes"] == one.notes
    assert "b.bin: it repeats argument 2" in map(str, found)
    assert value not in str(found) + repr(found)
    assert capture_secrets.find(one) == []


def test_a_patch_is_kept_without_the_value() -> None:
    """It is a text of our own making: the line stays, the value goes, and it is marked, for it does not apply any more."""
    text = PATCH + f"-password: old\n+password: correct-horse-battery\n+k = '{GITHUB}'\n+ umlaut \udcff\n"
    patch = kept("patch", "changes.patch", text.encode("utf-8", "surrogateescape"))
    mine = kept("", "p.yaml", "password: correct-horse-battery\n")
    one = captured(
        params={"password": "correct-horse-battery"}, things=[Thing("code", ("git", "x"), "src", keep=[patch, mine])]
    )
    capture_secrets.take_out(one)
    (left,) = one.things[0].keep
    assert left.data is not None and left.data.endswith(b"+password: <redacted>\n+k = '<redacted>'\n+ umlaut \xff\n")
    assert (left.sha256, left.size) == (hashlib.sha256(left.data).hexdigest(), len(left.data))
    assert one.things[0].attrs == {"patch_redacted": True}
    assert "changes.patch has <redacted> in place of what looks like a secret: it does not apply as it is" in one.notes
    assert "their bytes were left out, for they hold what looks like a secret: p.yaml" in one.notes


def test_a_word_that_stands_in_a_file_is_not_taken_out_of_all_others() -> None:
    """The password of a sample database is the name of a program, too."""
    one = captured(
        params={"db": "postgres-15"}, keep=[kept("params_whole", "params.json", "postgres://me:postgres@localhost/x")]
    )
    capture_secrets.take_out(one)
    assert one.params == {"db": "postgres-15"}
