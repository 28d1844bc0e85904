"""The service killed under load: python benchmarks/service_kills.py

Run by itself, three minutes. A service on the shop with its store in SQLite, in a process of its own on the same machine as
those who ask. Fifty times it begins, and within two seconds it is killed (SIGKILL), at a random moment, while
- two tellers report events, one a request;
- an asker asks for the lists of customers of whom no event is reported;
- somebody else has the service load three models in turn, again and again. (It keeps the one that answered last: of two none
  would be loaded.)
The next one begins with the same store. Checked is, of each life, by the next: every event that was answered with 200 is
known and counts once; every list that was answered is kept as an impression; the version that answers is the one that was
answered with 200 last, or the one that was asked for when the kill came; and every list is, item by item, the one that one
of the models gives, the one by whose name it goes.
"""

import json
import multiprocessing
import os
import random
import signal
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path

NAME = "service_kills"
TITLE = "The service killed under load"
PROTOCOL = ("recbook serve on the shop, SQLite, on the same machine as those who ask; SIGKILL at a random moment within two "
            "seconds, while events are reported, lists asked for and models loaded; each life is checked by the next")
KILLS, TELLERS, ASKED, K, PAUSE = 50, 2, 20, 10, 0.02
VERSIONS = ("ease", "item-knn", "rp3beta")


def make_runs(dataset, folder):
    """A run of each version, as `recbook train` keeps it; returns what they show some customers, to each of whom every one
    of them shows another list: {user: {version: [item]}}."""
    import recbook
    from recbook.models import MODELS
    from recbook.probes import probe

    lists = {user: {} for user in range(min(dataset.n_users, 10 * ASKED))}
    for name in VERSIONS:
        model = MODELS[name](dataset.n_users, dataset.n_items).fit(recbook.everything(dataset))
        recbook.save_model(model, folder / name, name=name, source={"dataset": dataset.name}, files=dataset.files,
                           probe=probe(model, dataset))
        for user in lists:
            history = dataset.history(user, model.reads)
            best, _ = model.top(history, K, None if dataset.items_return else history.items)
            lists[user][name] = [dataset.ids.items[item] for item in best[0].tolist() if item >= 0]
    apart = [user for user, of_user in lists.items() if len({*map(tuple, of_user.values())}) == len(VERSIONS)]
    return {user: lists[user] for user in apart[:ASKED]}


def serve(dataset, folder, name, listening):
    """The service, in a process that was forked for it."""
    from recbook.service.server import serve as serve_on
    from recbook.service.service import Service
    from recbook.service.store import open_store

    serve_on(Service(dataset, folder, name, open_store(folder / "store.sqlite")), listening)


class Running:
    """A process that serves at a free port: `with` gives it and its address when it is ready.

    what : function     called in the process with `arguments` and the socket
    """

    def __init__(self, what, *arguments):
        self.listening = socket.socket(proto=socket.IPPROTO_TCP)        # or asyncio leaves Nagle's delay of 40 ms in
        self.listening.bind(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.child = multiprocessing.get_context("fork").Process(target=what, args=(*arguments, self.listening), daemon=True)

    def __enter__(self):
        import httpx

        start = time.perf_counter()
        self.child.start()
        self.listening.close()
        while time.perf_counter() - start < 60 and self.child.is_alive():
            try:
                if httpx.get(f"{self.address}/ready").status_code == 200:
                    self.seconds = time.perf_counter() - start
                    return self
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise RuntimeError("The service did not begin within a minute.")

    def kill(self):
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.join()

    def __exit__(self, *problem):
        if self.child.is_alive():
            self.kill()


class Life:
    """What one service was asked and what it answered, until it was killed."""

    def __init__(self, number, address, user, lists):
        self.number, self.address, self.user, self.lists = number, address, user, lists
        self.asked, self.items = list(lists), next(iter(lists.values()))[VERSIONS[0]]
        self.events, self.requests, self.wrong, self.swaps = [], [], [], []
        self.on_its_way, self.begun, self.killed = None, 0.0, 0.0

    def until_killed(self, act):
        """Act again and again until nobody answers."""
        import httpx

        with httpx.Client(base_url=self.address, timeout=30) as client:
            for turn in range(10**6):
                try:
                    act(client, turn)
                except httpx.TransportError:
                    return

    def tell(self, teller):
        def act(client, turn):
            event = {"user": self.user + teller, "item": self.items[turn % K], "id": f"{self.number}-{teller}-{turn}"}
            if client.post("/events", json={"events": [event]}).status_code == 200:
                self.events.append(event)
        self.until_killed(act)

    def ask(self):
        def act(client, turn):
            user = self.asked[turn % len(self.asked)]
            answer = client.get("/recommend", params={"user": user, "k": K}).raise_for_status().json()
            self.requests.append(answer["request"])
            if [one["item"] for one in answer["items"]] != self.lists[user][answer["version"]]:
                self.wrong.append(answer)
        self.until_killed(act)

    def swap(self):
        def act(client, turn):
            self.on_its_way, self.begun = VERSIONS[(turn + 1) % len(VERSIONS)], time.perf_counter()
            client.post("/versions", json={"name": self.on_its_way}).raise_for_status()
            self.swaps.append(self.on_its_way)
            self.on_its_way = None
            time.sleep(PAUSE)
        self.until_killed(act)

    def spend(self, seconds, running):
        """All of them at once, and then the kill."""
        threads = [threading.Thread(target=self.tell, args=(teller,)) for teller in range(TELLERS)]
        threads += [threading.Thread(target=self.ask), threading.Thread(target=self.swap)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.killed = time.perf_counter()
        running.kill()
        for thread in threads:
            thread.join()
        if self.begun > self.killed:                                    # asked for when nobody was there any more
            self.on_its_way = None

    def lost(self, address):
        """What the next service does not know of it: how many events, and how many changes of the version."""
        import httpx

        unknown = 0
        for start in range(0, len(self.events), 500):
            told = httpx.post(f"{address}/events", json={"events": self.events[start:start + 500]}, timeout=30).json()
            unknown += told["accepted"]
        (now,) = httpx.get(f"{address}/versions", timeout=30).json()["now"]
        may_be = {*self.swaps[-1:], self.on_its_way} - {None}
        return unknown, int(bool(self.swaps) and now["name"] not in may_be)


def kills(dataset, folder, count=KILLS, say=print):
    """A row: kill that many services, and count what is lost."""
    import recbook.service.server  # noqa: F401   what is loaded before the fork is not loaded after it
    from recbook.service.store import open_store

    lists = make_runs(dataset, folder)
    tellers, moment, lives, ready = dataset.n_users + 1000, random.Random(0), [], []
    events_lost = versions_lost = 0
    for number in range(count + 1):
        with Running(serve, dataset, folder, VERSIONS[0]) as running:
            ready.append(running.seconds)
            if lives:
                events, versions = lives[-1].lost(running.address)
                events_lost, versions_lost = events_lost + events, versions_lost + versions
            if number < count:
                life = Life(number, running.address, tellers, lists)
                seconds = moment.uniform(0.05, 2.0)
                life.spend(seconds, running)
                lives.append(life)
                say(f"{number + 1}: killed after {seconds:.2f} s; {len(life.events)} events, {len(life.requests)} lists, "
                    f"{len(life.swaps)} swaps, {'another on its way' if life.on_its_way else 'none on its way'}")
    store = open_store(folder / "store.sqlite")
    kept = [event.id for teller in range(TELLERS) for event in store.history(tellers + teller)]
    shown = {impression.request for impression in store.impressions()}
    store.close()
    measured = {
        "kills": count, "kills during a swap": sum(life.on_its_way is not None for life in lives),
        "events accepted": sum(len(life.events) for life in lives), "events lost": events_lost,
        "events kept twice": len(kept) - len(set(kept)),
        "lists answered": sum(len(life.requests) for life in lives),
        "lists not kept": sum(request not in shown for life in lives for request in life.requests),
        "lists of no model": sum(len(life.wrong) for life in lives),
        "swaps accepted": sum(len(life.swaps) for life in lives), "swaps lost": versions_lost,
        "seconds until ready": statistics.median(ready),
    }
    return {"title": "Killed under load", "settings": {"tellers": TELLERS, "askers": 1, "swappers": 1},
            "measured": {name: {"value": value} for name, value in measured.items()}, "published": {}, "source": ""}


def main():
    import recbook
    from recbook import results

    start, before, shop, log = time.perf_counter(), os.getloadavg()[0], recbook.load("shop"), []
    with tempfile.TemporaryDirectory() as folder:
        row = kills(shop, Path(folder), say=lambda line: (log.append(line), print(line, flush=True)))
    row["settings"]["load average at start"] = round(before, 2)
    results.save(NAME, TITLE, PROTOCOL, {"kills": row | {"log": log}}, shop, time.perf_counter() - start)
    print(json.dumps({name: one["value"] for name, one in row["measured"].items()}, indent=1))


if __name__ == "__main__":
    main()
