"""The command line."""

from __future__ import annotations


def main() -> None:
    """Run the command line (`nasrepro`)."""
    from nasrepro.cli.app import main as run

    run()
