"""What the benchmarks share: the peers' own environment, alternating runs, medians, and rows for `results/`.

This file and the benchmarks are also run by the peers' Python, which has no recbook: it is imported where it is used.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "benchmarks"
TITLE = "Seconds and memory, side by side with the libraries that people would otherwise use"
PROTOCOL = ("the two sides by turns on the same machine, each time in a fresh process; median, with the least and the "
            "most in brackets; ratio: ours over the peer's")


def peers_python():
    """The Python of the peers' environment `.venv-peers` ($RECBOOK_PEERS names another), made when it is absent."""
    folder = Path(os.environ.get("RECBOOK_PEERS") or HERE.parent / ".venv-peers")
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
    return python


def workplace():
    """A temporary folder in which data are handed over; a path once entered with `with`."""
    return tempfile.TemporaryDirectory(prefix="recbook-benchmark-")


def alternate(script, folder, sides, repeats=3):
    """Run the sides of a benchmark by turns, A B A B ...: {side: [what it returned, ...]}.

    sides : dict
        For each function of the script: "recbook" (this Python) or "peers" (theirs).
    """
    python = {"recbook": sys.executable, "peers": peers_python() if "peers" in sides.values() else None}
    returned = {side: [] for side in sides}
    for _ in range(repeats):
        for side, environment in sides.items():
            done = subprocess.run([python[environment], script, side, folder], stdout=subprocess.PIPE, text=True,
                                  check=True, cwd=folder)
            returned[side].append(json.loads(done.stdout.splitlines()[-1]))
    return returned


def run_side(*functions):
    """The other end of `alternate`: call the function that the command line names and print what it returns."""
    side, folder = sys.argv[1:]
    print(json.dumps({function.__name__: function for function in functions}[side](Path(folder))))


def values(runs, key):
    """Median, least and most of a number over repeated runs, as a row of `results` has it."""
    numbers = [run[key] for run in runs]
    return {"value": statistics.median(numbers), "low": min(numbers), "high": max(numbers), "values": numbers}


def ratio(ours, theirs):
    """The median of ours over the median of theirs; its ends from neighbouring runs."""
    pairs = [a / b for a, b in zip(ours["values"], theirs["values"])]
    return {"value": ours["value"] / theirs["value"], "low": min(pairs), "high": max(pairs), "values": pairs}


def versions(*packages):
    """Installed versions: {package: version}."""
    return {package: version(package) for package in packages}


def peak_memory():
    """The most memory that this process has held, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
