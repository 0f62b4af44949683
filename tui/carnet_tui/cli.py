"""The command line: parse, dispatch, exit codes."""


def main() -> None:
    """Run the command line."""
