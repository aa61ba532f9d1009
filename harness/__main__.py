"""``python -m harness`` and the ``harness`` command."""

from __future__ import annotations

import sys

from harness.errors import HarnessError


def main() -> None:
    """Run the command line; every error of ours becomes a message and its exit code."""
    from harness.cli import cli

    try:
        sys.exit(cli(standalone_mode=True))
    except HarnessError as error:
        print(f"harness: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away (| head): that is its right.
        sys.stderr.close()
        sys.exit(0)
    except KeyboardInterrupt:
        print("harness: interrupted; what was measured is in the journal", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
