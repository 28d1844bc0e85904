"""The `recbook` command: look at data, train, evaluate and recommend without writing Python.

One subcommand a file; `shared.py` holds what they have in common.

Tables for people; with `--json` one JSON document on stdout for programs. Notes and progress go to stderr. Exit
codes: 0 all well; 1 something to put right, said in one line; 2 wrong usage; 130 interrupted; 141 nobody reads on.
"""

import argparse
import os
import sys
import warnings

from recbook.cli import data, evaluate, experiment, export, off_policy, recommend, serve, train, tune
from recbook.cli.shared import note
from recbook.errors import RecbookError

# As `recbook --help` lists them.
VERBS = (data, train, tune, evaluate, recommend, off_policy, export, serve, experiment)


def make_parser():
    """All subcommands and their arguments."""
    parser = argparse.ArgumentParser("recbook", description="Recommender systems to read, run and check.",
                                     epilog="Example: recbook train --model ease, then recbook recommend")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for verb in VERBS:
        verb.add_to(commands)
    return parser


def main(arguments=None):
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):                             # a console that cannot show a letter shows its number
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:                                              # closed by who called: there is nobody to print for
        sys.stdout = open(os.devnull, "w")
    args = make_parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *where: note(f"recbook: {message}")     # without a place in the code
            args.function(args)
        sys.stdout.flush()
        return 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it closes stdout
        return 141
    except (RecbookError, OSError) as problem:
        note("recbook: " + " ".join(str(problem).split()))
        return 1
    except MemoryError:
        note("recbook: this needs more memory than there is: ask for less, by smaller settings or data.")
        return 1
    except KeyboardInterrupt:
        note("recbook: interrupted" + getattr(args, "to_go_on", ""))
        return 130
