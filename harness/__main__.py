"""``python -m harness`` and the ``harness`` command."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from harness.errors import HarnessError

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


# A run on a share that is only read, or of another user: what a verb was given, and no failure of ours.
NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR)


def main() -> None:
    """Run the command line; every error of ours becomes a message and its exit code."""
    sys.unraisablehook = _not_lost
    try:
        _main()
    except KeyboardInterrupt:  # outside of click: while it was imported, or on the way out
        _interrupted()
    finally:
        _hand_over()


def _hand_over() -> None:
    """What is still to be written goes out now. Where nobody reads any more Python would say so, and end with 120."""
    try:
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):  # or closed, by whoever found out before us
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupted() -> NoReturn:
    print("harness: interrupted", file=sys.stderr)
    # CPython ends by the signal itself when an interrupt came out of an `exec` of text, whoever caught it afterwards
    # (pythonrun.c, unhandled_keyboard_interrupt); dataclasses and named tuples are made by such. The next one that
    # goes well takes that back.
    exec("")
    sys.exit(130)


def _not_lost(told: UnraisableHookArgs) -> None:
    """An interrupt that nobody could be told of comes again.

    Python raises KeyboardInterrupt wherever it is. Inside of a weakref's callback or a finaliser it is reported and
    dropped, and importing runs thousands of those: one Ctrl-C in eighty was lost on the way up.
    """
    if not issubclass(told.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(told)
        return
    import signal
    import threading

    main = threading.main_thread().ident or 0
    # From another thread, and a little later: what is dropping it has to be over.
    again = threading.Timer(0.02, signal.pthread_kill, (main, signal.SIGINT))
    again.daemon = True
    again.start()


def _main() -> None:
    import click

    from harness.cli import cli

    try:
        # Not click's standalone mode: it would turn an interrupt into exit code 1.
        sys.exit(cli(standalone_mode=False) or 0)
    except click.exceptions.Abort:
        _interrupted()
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
        where = f"{error.filename}: " if error.filename else ""
        if where and error.errno in NO_RIGHT:
            print(
                f"harness: {where}{error.strerror}; copy it to a place of your own, or ask who owns it", file=sys.stderr
            )
            sys.exit(2)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"harness: {where}no room to write ({error.strerror}); free some space and try again", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
