"""What the benchmarks share: the peers' own environment, sides run by turns, medians, and the row for `results/`.

The peers' Python has no recbook, and this file and the benchmarks are read by it too: both import it where it is used.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "benchmarks"
TITLE = "Seconds and memory beside the libraries that people would otherwise use"
PROTOCOL = ("the sides by turns on one machine, each time in a fresh process; the median and in brackets the least and "
            "the most; ratio: ours over the peer's, as are `CPU ratio` of the processors' seconds")


def peers_python():
    """The Python of the peers' environment: `.venv-peers`, or $RECBOOK_PEERS; made and filled when it is absent."""
    folder = Path(os.environ.get("RECBOOK_PEERS") or HERE.parent / ".venv-peers")
    python = folder / "bin" / "python"
    if not (folder / "installed").exists() and "RECBOOK_PEERS" not in os.environ:
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
        (folder / "installed").touch()
    return python


def workplace():
    """A temporary folder in which the sides find their data; `with` gives its path."""
    return tempfile.TemporaryDirectory(prefix="recbook-benchmark-")


def by_turns(script, folder, sides, repeats=3):
    """Run functions of a benchmark A B A B ..., each time in a fresh process: {side: [what it returned, ...]}.

    sides : dict
        For each function's name the Python that runs it.
    """
    returned = {side: [] for side in sides}
    for _ in range(repeats):
        for side, python in sides.items():
            done = subprocess.run([python, script, side, folder], cwd=folder, text=True, capture_output=True)
            if done.returncode:
                raise RuntimeError(f"{Path(script).name} {side} failed:\n{done.stderr}")
            returned[side].append(json.loads(done.stdout.splitlines()[-1]))
    return returned


def run_side(*functions):
    """The other end of `by_turns`: call the function that the command line names and print what it returns."""
    side, folder = sys.argv[1:]
    print(json.dumps({function.__name__: function for function in functions}[side](Path(folder))))


class Clock:
    """`with Clock() as clock:` fills clock.times with `seconds` and `CPU seconds`, the latter of all cores together."""

    def __enter__(self):
        self.start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *error):
        wall, processor = self.start
        self.times = {"seconds": time.perf_counter() - wall, "CPU seconds": time.process_time() - processor}


def versions(*packages):
    """Installed versions: {package: version}."""
    return {package: version(package) for package in packages}


def peak_memory():
    """The most memory that this process has held, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def median(numbers):
    """Repeated measurements as a row of `results` holds them."""
    return {"value": statistics.median(numbers), "low": min(numbers), "high": max(numbers), "values": numbers}


def measured(ours, peer=()):
    """A row's `measured` from what the runs of each side returned; of a peer also how ours compares, turn by turn."""
    numbers = {key: median([run[key] for run in ours]) for key in ours[0]}
    for key in peer[0] if peer else ():
        if key != "versions":
            numbers[f"{key}, peer"] = median([run[key] for run in peer])
    if peer:
        for name, key in (("ratio", "seconds"), ("CPU ratio", "CPU seconds")):
            pairs = [mine[key] / theirs[key] for mine, theirs in zip(ours, peer)]
            numbers[name] = median(pairs) | {"value": numbers[key]["value"] / numbers[f"{key}, peer"]["value"]}
    return numbers
