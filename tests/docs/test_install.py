"""Installing as the documents say: wheels carried over, and a machine without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNREACHABLE = re.compile(
    r"No matching distribution|ConnectionError|NewConnectionError|ProxyError|Name or service not known"
)
PARTS = ("store", "tui", "sample_projects", "pyproject.toml", "constraints.txt", "README.md", "LICENSE")


def _checkout(place: Path) -> Path:
    """Return a copy of what the wheel is built from, so that nothing is written into the checkout."""
    place.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=ignored)
        else:
            shutil.copyfile(source, place / name)
    return place


def _commands(title: str) -> list[str]:
    """Return the commands of a section of the page, one a line."""
    text = (ROOT / "docs" / "install-offline.md").read_text(encoding="utf-8")
    section = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
    block = re.search(r"(?ms)^```sh\n(.*?)^```$", section)
    assert block is not None, title
    return block[1].splitlines()


def _run(command: list[str], cwd: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=300,
    )


def _without_network() -> list[str]:
    """Return what takes the network from a command: a namespace of its own where the system gives one."""
    if shutil.which("unshare") is None:
        return []
    apart = ["unshare", "--map-root-user", "--net"]
    return apart if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode == 0 else []


@pytest.mark.slow
@pytest.mark.thorough
def test_wheels_carried_over_install_and_show_the_demo_with_the_network_off(tmp_path: Path) -> None:
    """Both halves of docs/install-offline.md; in the second pip has no index and the processes no network."""
    there = _checkout(tmp_path / "there")
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environ |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for command in _commands("Where there is a network"):
        done = _run(["bash", "-c", command], there, environ)
        if done.returncode and UNREACHABLE.search(done.stdout):
            pytest.skip("no package index can be reached from here, so there is nothing to carry over")
        assert done.returncode == 0, f"{command}\n{done.stdout}"
    here = tmp_path / "here"
    here.mkdir()
    shutil.copytree(there / "wheels", here / "wheels")
    bare = {
        "PATH": environ["PATH"], "HOME": str(here), "LANG": "C.UTF-8", "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1", "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9",
    }  # fmt: skip
    said = ""
    for command in _commands("Where there is none"):
        done = _run([*_without_network(), "bash", "-c", command], here, bare)
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        said += done.stdout
    assert re.search(r"(?m)^carnet \d+\.\d+", said)
    assert "DEMO as Tomasz Wilk" in said
    assert (here / "demo" / ".carnet" / "ledgers").is_dir()


def test_no_command_without_an_index_asks_one() -> None:
    """Every pip of the second half says so."""
    assert all("--no-index --find-links" in line for line in _commands("Where there is none") if " install " in line)


def test_readme_names_what_a_newcomer_has() -> None:
    """Its set-up needs Python with venv and pip alone: every line begins with `python3 -m venv` and goes on in it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^```sh\n(.+)\n```$", text)
    assert len(lines) == 2
    for line in lines:
        first, *rest = line.split(" && ")
        assert first == "python3 -m venv .venv"
        assert all(part.startswith(".venv/bin/") for part in rest)
        assert "--group" not in line, "pip 23 knows extras, not groups"
