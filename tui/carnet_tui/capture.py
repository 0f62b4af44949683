"""A command run here for an item, and its result kept: the command line, its exit code, its output as an object."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from carnet_store.errors import Invalid

OUTPUT_AT_MOST = 16 * 1024 * 1024
"""Bytes of output kept; what is beyond is cut off and the cut is said in the kept output."""


def run_and_keep(
    command: Sequence[str], folder: Path, put: Callable[[bytes], str], *, shown: str = ""
) -> dict[str, object]:
    """Run `command` in `folder` without a shell; return the result as a command item stores it.

    `put` keeps bytes and returns their SHA-256; `shown` is the command line as the person wrote it. Standard output and
    error are kept together, in the order in which they came.

    Raises:
        Invalid: the command cannot be started.
    """
    if not command:
        raise Invalid("there is no command to run", "write one, such as: python receiver_rerun.py")
    try:
        done = subprocess.run(  # noqa: S603  the person's own command, without a shell
            list(command), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False,
        )  # fmt: skip
    except OSError as error:
        raise Invalid(f"{command[0]} could not be started: {error.strerror}", "name a program that is here") from error
    output = done.stdout
    if len(output) > OUTPUT_AT_MOST:
        output = output[:OUTPUT_AT_MOST] + f"\n[cut: {len(done.stdout):,} bytes in all]\n".encode()
    return {
        "command": shown or " ".join(command),
        "exit_code": done.returncode,
        "output": {"sha256": put(output), "size": len(output)},
    }
