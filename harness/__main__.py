"""``python -m harness`` and the ``harness`` command."""

from __future__ import annotations

import errno
import sys

from harness.errors import HarnessError


def main() -> None:
    """Run the command line; every error of ours becomes a message and its exit code."""
    import click

    from harness.cli import cli

    try:
        # Not click's standalone mode: it would turn an interrupt into exit code 1.
        sys.exit(cli(standalone_mode=False) or 0)
    except click.exceptions.Abort:
        print("harness: interrupted", file=sys.stderr)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except HarnessError as error:
        print(f"harness: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away (| head): that is its right.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"harness: {where}no room to write ({error.strerror}); free some space and try again", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
