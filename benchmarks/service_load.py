"""The service under load: python benchmarks/service_load.py [ours] [peer]

Run by itself, ten minutes; it needs wrk, which Debian has. GRU4Rec, dimension 64, on a shop of 100,000 items; its weights
are random, since the time does not depend on them. A question asks for ten items for one of 2,000 customers; every item is
scored.
ours     `recbook serve`'s service, its store in SQLite: each list is kept as an impression, on disk, before it is answered.
peer     `service_peer.py`: FastAPI and ONNX Runtime with the same model, exported; it keeps nothing.
Each is asked by wrk, on the same machine, with 1, 8 and 64 connections, each of which asks again as soon as it is answered;
and with 16 connections which wait between an answer and the next question, by chance, so long that about a hundred questions
a second come. Meanwhile ten events a second are reported to ours. The sides take turns, three times.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import common
from service_kills import Running

NAME = "service_load"
TITLE = "The service under load"
PROTOCOL = ("ten of 100,000 items, all scored by GRU4Rec; service, wrk and the reporter of events share the machine; medians "
            "of the turns, in brackets the least and the most")
ITEMS, USERS, K = 100_000, 2_000, 10
TURNS, SECONDS, PACE, PACED, EVENTS = 3, 6, 100, 16, 10
CONNECTIONS = (1, 8, 64)
SIDES = {"ours": "recbook serve", "peer": "FastAPI and ONNX Runtime by hand"}
TARGET = {"ms, p99": 25.0}                                              # at a hundred questions a second
NOTE = ("Missed by {missed:.0f} ms. A question took {cpu:.0f} ms of CPU, on two cores that wrk shares; load average {before:.1f} before, "
        "{after:.1f} after.")
SCRIPT = """
local number = %d
request = function()
    number = number + 1
    return wrk.format("GET", "/recommend?k=%d&user=" .. (number * 7919 %% %d))
end
"""
WAITING = """
math.randomseed(%d)
delay = function()
    return math.floor(-math.log(1 - math.random()) * %d)
end
"""


def dataset():
    """The shop with many more goods than usual."""
    import recbook

    return recbook.load("shop", n_items=ITEMS, n_users=USERS, n_events=50_000)


def make_files(data, folder):
    """A run as `recbook train` keeps it, the same model as ONNX, and the histories that the peer is given."""
    import numpy as np
    import recbook
    from recbook.probes import probe

    recbook.seed_everything(0)
    model = recbook.GRU4Rec(data.n_users, data.n_items, dim=64).eval()
    model.trained_on = data.ids
    recbook.save_model(model, folder / "gru4rec", name="gru4rec", source={"dataset": data.name}, files=data.files,
                       probe=probe(model, data))
    recbook.export(model, folder / "gru4rec.onnx")
    histories = np.full((data.n_users, model.reads), -1)
    for user in range(data.n_users):
        items = data.history(user, model.reads).items[0].numpy()
        histories[user, :len(items)] = items
    np.save(folder / "histories.npy", histories)


def serve_ours(data, folder, listening):
    from recbook.service.server import serve
    from recbook.service.service import Service
    from recbook.service.store import open_store

    serve(Service(data, folder, "gru4rec", open_store(folder / "store.sqlite")), listening)


def serve_peer(data, folder, listening):
    from service_peer import serve

    serve(str(folder / "gru4rec.onnx"), folder / "histories.npy", listening)


def wrk(address, connections, folder, turn, paced=False):
    """Requests a second, and milliseconds of the answers."""
    script = SCRIPT % (1000 * turn, K, USERS)
    if paced:
        script += WAITING % (turn, 1000 * connections / PACE)
    (folder / "ask.lua").write_text(script)
    told = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "--timeout", "20s",
                           "-s", str(folder / "ask.lua"), address], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"Some requests failed:\n{told}")
    found = {"requests a second": float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])}
    for name, share in (("ms, p50", "50"), ("ms, p99", "99")):
        value, unit = re.search(rf"{share}%\s+([\d.]+)(us|ms|s)\b", told).groups()
        found[name] = float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return found


def cpu_seconds(process):
    """What a process has used so far, of all cores together."""
    used = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")


class Reporter:
    """Reports events, `EVENTS` a second, while inside `with`; `waits` are the milliseconds until they were on disk."""

    def __init__(self, address, item):
        self.address, self.item, self.waits, self.stop = address, item, [], threading.Event()
        self.thread = threading.Thread(target=self.report)

    def report(self):
        import httpx

        with httpx.Client(base_url=self.address, timeout=30) as client:
            while not self.stop.wait(1 / EVENTS):
                start = time.perf_counter()
                client.post("/events", json={"events": [{"user": USERS + 7, "item": self.item}]}).raise_for_status()
                self.waits.append(1000 * (time.perf_counter() - start))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *problem):
        self.stop.set()
        self.thread.join()


def turn_of(side, data, folder, turn):
    """One turn of one side: {kind of load: its numbers}."""
    found = {}
    with Running({"ours": serve_ours, "peer": serve_peer}[side], data, folder) as running:
        wrk(running.address, 8, folder, turn)                           # not counted: everything has run once
        for kind, connections in [(f"{count} connections", count) for count in CONNECTIONS] + [("paced", PACED)]:
            used = cpu_seconds(running.child.pid)
            if side == "ours":
                with Reporter(running.address, data.ids.items[0]) as reporter:
                    found[kind] = wrk(running.address, connections, folder, turn, kind == "paced")
                waits = sorted(reporter.waits)
                found[kind]["ms of an event, p50"] = waits[len(waits) // 2]
            else:
                found[kind] = wrk(running.address, connections, folder, turn, kind == "paced")
            used = cpu_seconds(running.child.pid) - used
            found[kind]["CPU ms a question"] = 1000 * used / (found[kind]["requests a second"] * SECONDS)
            print(side, turn, kind, {name: round(value, 1) for name, value in found[kind].items()}, flush=True)
    return found


def main(argv=None):
    import recbook.service.server  # noqa: F401   what is loaded before the fork is not loaded after it
    from recbook import results

    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition(":")[0])
    parser.add_argument("sides", nargs="*", choices=[*SIDES, []], metavar="SIDE", help="ours, peer; default: both")
    sides = parser.parse_args(argv).sides or list(SIDES)
    if not shutil.which("wrk"):
        raise SystemExit("There is no wrk on this machine: apt-get install wrk")
    start, before, data = time.perf_counter(), os.getloadavg()[0], dataset()
    turns = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        make_files(data, Path(folder))
        for turn in range(TURNS):
            for side in sides:
                turns[side].append(turn_of(side, data, Path(folder), turn))
    versions, rows = common.versions("fastapi", "uvicorn", "onnxruntime"), {}
    for side, found in turns.items():
        for kind in found[0]:
            measured = {name: common.median([turn[kind][name] for turn in found]) for name in found[0][kind]}
            paced = kind == "paced"
            rows[f"{side}, {kind}"] = {
                "title": f"{SIDES[side]}, {'a hundred questions a second' if paced else kind.replace('1 connections', '1 connection')}",
                "measured": measured, "published": {}, "source": "", "targets": TARGET if paced and side == "ours" else {},
                "settings": {"items": ITEMS, "seconds": SECONDS, "turns": TURNS, "connections": PACED if paced else int(kind.split()[0]),
                             "events a second": EVENTS if side == "ours" else 0, "versions": versions,
                             "load average at start": round(before, 2)}}
            if paced and side == "ours" and measured["ms, p99"]["value"] > TARGET["ms, p99"]:
                rows[f"{side}, {kind}"]["note"] = NOTE.format(
                    missed=measured["ms, p99"]["value"] - TARGET["ms, p99"], before=before, after=os.getloadavg()[0],
                    cpu=measured["CPU ms a question"]["value"])
    results.save(NAME, TITLE, PROTOCOL, rows, data, time.perf_counter() - start)
    print(json.dumps({name: {key: one["value"] for key, one in row["measured"].items()} for name, row in rows.items()}, indent=1))


if __name__ == "__main__":
    main()
