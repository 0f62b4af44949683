"""A command run here for an item, and its result kept: the command line, its exit code, its output as an object."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from carnet_store.errors import Invalid, NotFound

MAX_OUTPUT = 64 << 20
"""Bytes of output that are kept; a command that says more writes it to a file."""


def run_and_keep(
    words: Sequence[str], folder: Path, put: Callable[[BinaryIO], tuple[str, int]], heard: Callable[[str], None]
) -> dict[str, object]:
    """Run a command in `folder` without a shell; return its result as a command item stores it.

    `put` keeps a stream as an object and returns (SHA-256, size); `heard` is called with each line as it comes, not
    cleaned. Standard output and error are kept together.

    Raises:
        NotFound: it cannot be started. Invalid: there is no command, or its output is too large; nothing is kept.
    """
    if not words:
        raise Invalid("there is no command to run", "write one, such as: python receiver_rerun.py")
    with tempfile.TemporaryFile() as output:
        try:
            child = subprocess.Popen(  # noqa: S603  the person's own command, without a shell
                list(words), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise NotFound(
                f"{words[0]} could not be started: {error.strerror}", "name a program that is here"
            ) from None
        size = 0
        with child:
            for line in child.stdout or ():
                size += len(line)
                if size <= MAX_OUTPUT:
                    output.write(line)
                heard(line.decode("utf-8", "replace").rstrip("\r\n"))
        if size > MAX_OUTPUT:
            limit = f"the output is larger than {MAX_OUTPUT >> 20} MiB"
            raise Invalid(limit, "let the command write it to a file, and attach that")
        output.seek(0)
        sha256, kept = put(output)
    return {
        "command": shlex.join(words),
        "exit_code": child.returncode,
        "output": {"sha256": sha256, "size": kept},
    }
