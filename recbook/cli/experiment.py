"""`recbook experiment`: measure a published table again."""

import argparse
import ast
import importlib
import sys
from pathlib import Path

from recbook.cli.shared import add_command, show
from recbook.errors import RecbookError, UnknownName


def add_to(commands):
    """The subcommand and its arguments."""
    command = add_command(commands, "experiment", experiment)
    command.add_argument("name", nargs="?", metavar="NAME")
    command.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...")


def experiment(args):
    """List the experiments of this checkout, or run one: it writes its tables to results/.

    What follows the name is for the experiment itself.

    Example: recbook experiment
    """
    root = next((folder for folder in (Path.cwd(), *Path.cwd().parents)
                 if (folder / "experiments").is_dir() and (folder / "recbook").is_dir()), None)
    if root is None:
        raise RecbookError("Experiments are part of the repository: run this in a checkout of recbook, "
                           "which has a folder experiments/.")
    paths = {path.stem: path for path in sorted((root / "experiments").glob("*.py")) if path.stem[0] != "_"}
    if args.name is None:
        lines = {name: (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]
                 for name, path in paths.items()}
        show(args, [{"name": name, "what": line} for name, line in lines.items()])
    elif args.name not in paths:
        raise UnknownName("experiment", args.name, paths)
    else:
        sys.path.insert(0, str(root))
        importlib.import_module(f"experiments.{args.name}").main(args.arguments)
