"""What the benchmarks share: the peers' own environment, sides run by turns, medians, and the row for `results/`.

The peers' Python reads this file and the benchmarks too, and has no recbook: it is imported where it is used.
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
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "benchmarks"
TITLE = "Seconds and memory beside the libraries that people would otherwise use"
PROTOCOL = ("the sides by turns on one machine, each time in a fresh process; medians, in brackets the least and the "
            "most; ratio: our seconds over the peer's, turn by turn, and of these the median; CPU seconds: of all "
            "cores together")


def peers_python():
    """The Python of the peers' environment: `.venv-peers`, or $RECBOOK_PEERS; made and filled when it is absent."""
    folder = Path(os.environ.get("RECBOOK_PEERS") or HERE.parent / ".venv-peers")
    python = folder / "bin" / "python"
    if not (folder / "installed").exists() and "RECBOOK_PEERS" not in os.environ:
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", HERE / "requirements.txt"], check=True)
        (folder / "installed").touch()
    return python


@contextmanager
def workplace(keep=None):
    """A folder in which the sides find their data: `with` gives its path. It is temporary unless `keep` names one."""
    if keep:
        Path(keep).mkdir(parents=True, exist_ok=True)
        yield Path(keep).resolve()
        return
    with tempfile.TemporaryDirectory(prefix="recbook-benchmark-") as folder:
        yield Path(folder)


def by_turns(script, folder, sides, repeats=3, keep=False):
    """Run functions of a benchmark A B A B ..., each time in a new process: {side: [what it returned, ...]}.

    sides : dict
        For each function's name the Python that runs it.
    keep : bool
        Write what each turn returned to `SIDE-TURN.json` in the folder, and do not run again what lies there. A folder
        is of one state of the code: after a change, take a new one.
    """
    returned = {side: [] for side in sides}
    for turn in range(repeats):
        for side, python in sides.items():
            kept = folder / f"{side}-{turn}.json"
            if keep and kept.exists():
                returned[side].append(json.loads(kept.read_text()))
                continue
            done = subprocess.run([python, script, side, folder], cwd=folder, text=True, capture_output=True)
            if done.returncode:
                raise RuntimeError(f"{Path(script).name} {side} failed:\n{done.stderr}")
            line = done.stdout.splitlines()[-1]
            returned[side].append(json.loads(line))
            if keep:
                kept.with_suffix(".part").write_text(line)
                kept.with_suffix(".part").replace(kept)
    return returned


def turns_done(folder, side):
    """How many turns of a side are kept in the folder: a seed for the next."""
    return len(list(folder.glob(f"{side}-*.json")))


def run_side(*functions):
    """The other end of `by_turns`: call the function that the command line names and print what it returns."""
    side, folder = sys.argv[1:]
    print(json.dumps({function.__name__: function for function in functions}[side](Path(folder))))


class Clock:
    """`with Clock() as clock:` fills clock.times with `seconds` and the `CPU seconds` of all cores together."""

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


def row(title, targets, settings, ours, peer=(), note=None):
    """A row of `results` from what the runs of each side returned, in the order of the turns.

    A ratio is formed within each turn, whose two sides ran one after the other, and the median is of these: a ratio of
    the two medians would set a quick minute of one side against a slow one of the other.

    targets : dict
        The most that a measured number may be. A row that misses one needs a note that says why.
    settings : dict
        Of the run; `versions` that the peer reported are added to it.
    """
    measured = {key: median([run[key] for run in ours]) for key in ours[0]}
    peer_versions = peer[0].get("versions", {}) if peer else {}
    if peer:
        measured |= {f"{key}, peer": median([run[key] for run in peer]) for key in peer[0] if key != "versions"}
        for name, key in (("ratio", "seconds"), ("CPU ratio", "CPU seconds")):
            if key not in ours[0]:
                continue
            measured[name] = median([mine[key] / theirs[key] for mine, theirs in zip(ours, peer, strict=True)])
    source = " ".join(next(iter(peer_versions.items()), ()))
    settings = settings | {"turns": len(ours)} | ({"peer versions": peer_versions} if peer_versions else {})
    made = {"title": title, "measured": measured, "published": {}, "source": source, "settings": settings,
            "targets": targets}
    return made | ({"note": note} if note else {})
