"""The service under load, and killed under load: python benchmarks/service_load.py [load] [kills]

Run by itself, five minutes. A service with EASE on the shop and its store in SQLite, in a process of its own on the same
machine as those who ask.
load     wrk asks for ten items for 4,000 customers in turn, eight connections for thirty seconds, three times; every list is
         kept as an impression, on disk, before it is answered. Without wrk on the machine this row is not measured.
kills    fifty times: four tellers report events, one a request, and the process is killed (kill -9) at a random moment within
         a second; the next one begins with the same store. Counted is what was accepted, and of this what the store does not have.
"""

import argparse
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import common  # noqa: F401   the folder of the benchmarks is the first on the path, as for the others

NAME = "service"
TITLE = "The service under load, and killed under load"
PROTOCOL = ("recbook serve with EASE on the shop, SQLite, on the same machine as those who ask; load: wrk, eight connections; "
            "kills: SIGKILL while four threads report events")
KILLS, TELLERS, SECONDS, TURNS, CUSTOMERS = 50, 4, 30, 3, 4000
SCRIPT = """
local number = 0
request = function()
    number = number + 1
    return wrk.format("GET", "/recommend?k=10&user=" .. (number * 7919 %% %d))
end
""" % CUSTOMERS


def make_run(folder):
    """A run on the shop, as `recbook train` keeps it; returns the data set."""
    import recbook
    from recbook.probes import probe

    shop = recbook.load("shop")
    model = recbook.EASE(shop.n_users, shop.n_items).fit(recbook.everything(shop))
    recbook.save_model(model, folder / "ease", name="ease", source={"dataset": "shop"}, files=shop.files, probe=probe(model, shop))
    return shop


def serve(dataset, folder, listening):
    """The service, in a process that was forked for it."""
    from recbook.service.server import serve as serve_on
    from recbook.service.service import Service
    from recbook.service.store import open_store

    store = open_store(folder / "store.sqlite")
    serve_on(Service(dataset, folder, "ease", store), listening)


class Running:
    """A service at a free port; `with` gives its process and address when it is ready."""

    def __init__(self, dataset, folder):
        self.listening = socket.socket()
        self.listening.bind(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.child = multiprocessing.get_context("fork").Process(target=serve, args=(dataset, folder, self.listening))

    def __enter__(self):
        import httpx

        self.child.start()
        self.listening.close()
        for _ in range(600):
            try:
                if httpx.get(f"{self.address}/ready").status_code == 200:
                    return self.child, self.address
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise RuntimeError("The service did not begin within a minute.")

    def __exit__(self, *problem):
        if self.child.is_alive():
            os.kill(self.child.pid, signal.SIGKILL)
        self.child.join()


def load(dataset, folder):
    """Requests a second and waits, by wrk."""
    script = folder / "ask.lua"
    script.write_text(SCRIPT)
    found = {"requests a second": [], "ms, p50": [], "ms, p99": []}
    with Running(dataset, folder) as (child, address):
        for _ in range(TURNS):
            told = subprocess.run(["wrk", "-t1", "-c8", f"-d{SECONDS}s", "--latency", "-s", str(script), address], check=True,
                                  capture_output=True, text=True).stdout
            if "Non-2xx" in told or "Socket errors" in told:
                raise RuntimeError(f"Some requests failed:\n{told}")
            found["requests a second"].append(float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1]))
            for name, share in (("ms, p50", "50"), ("ms, p99", "99")):
                value, unit = re.search(rf"{share}%\s+([\d.]+)(us|ms|s)\b", told).groups()
                found[name].append(float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit])
    return {"title": "Ten items, kept as an impression", "settings": {"connections": 8, "seconds": SECONDS, "turns": TURNS},
            "measured": {name: {"value": sorted(values)[TURNS // 2], "values": values} for name, values in found.items()}}


def tell(address, teller, round_, accepted):
    """Report events until nobody answers; note what was accepted."""
    import httpx

    with httpx.Client(base_url=address) as client:
        for number in range(10**6):
            name = f"{round_}-{teller}-{number}"
            try:
                answer = client.post("/events", json={"events": [{"user": teller, "item": number % 300, "id": name}]})
            except httpx.TransportError:
                return
            if answer.status_code == 200:
                accepted.append(name)


def kills(dataset, folder):
    """What is lost of what was accepted."""
    accepted, kept, moment = [], set(), random.Random(0)
    for round_ in range(KILLS):
        with Running(dataset, folder) as (child, address):
            tellers = [threading.Thread(target=tell, args=(address, teller, round_, accepted)) for teller in range(TELLERS)]
            for teller in tellers:
                teller.start()
            time.sleep(moment.uniform(0.05, 1))
            os.kill(child.pid, signal.SIGKILL)
            for teller in tellers:
                teller.join()
    from recbook.service.store import open_store

    store = open_store(folder / "store.sqlite")
    told = [event.id for teller in range(TELLERS) for event in store.history(teller)]
    kept.update(told)
    store.close()
    measured = {"kills": KILLS, "events accepted": len(accepted), "accepted and lost": len(set(accepted) - kept),
                "kept twice": len(told) - len(kept)}
    return {"title": "Killed while it is told what happens", "settings": {"tellers": TELLERS},
            "measured": {name: {"value": value} for name, value in measured.items()}}


def main(argv=None):
    from recbook import results

    parser = argparse.ArgumentParser(prog=NAME, description=__doc__.partition(":")[0])
    parser.add_argument("names", nargs="*", metavar="ROW", help="load, kills; default: both")
    names = parser.parse_args(argv).names or ["load", "kills"]
    for name in names:
        if name == "load" and not shutil.which("wrk"):
            print("No wrk on this machine: load is not measured.")
            continue
        start, before = time.perf_counter(), os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as folder:
            dataset = make_run(Path(folder))
            row = {"load": load, "kills": kills}[name](dataset, Path(folder))
        row["settings"]["load average at start"] = round(before, 2)
        results.save(NAME, TITLE, PROTOCOL, {name: row | {"published": {}, "source": ""}}, dataset, time.perf_counter() - start)
        print(name, json.dumps(row["measured"]), flush=True)


if __name__ == "__main__":
    main()
