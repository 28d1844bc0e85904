"""The store in one file of SQLite: nothing to install, nothing to start.

One thread writes. It takes all that wait, writes them in one transaction, and waits for the disk once for all of them
("group commit": DeWitt et al., *Implementation Techniques for Main Memory Database Systems*, SIGMOD 1984); who asked is
answered after that. Readers do not wait for it: the log is written ahead (WAL).
"""

import json
import queue
import sqlite3
import threading
from concurrent.futures import Future

from recbook.service.store import Event, Impression, Store, StoreError, in_order, packed, unpacked

TABLES = """
create table if not exists events (number integer primary key, id text unique not null, user text not null, record text not null);
create index if not exists events_of_user on events (user, number);
create table if not exists impressions (number integer primary key, record text not null);
create table if not exists sold_out (item text primary key) without rowid;
create table if not exists items (number integer primary key, record text not null);
create table if not exists settings (name text primary key, value text not null) without rowid;
"""
AT_ONCE = 500       # requests written in one transaction at most
PATIENCE = 10       # seconds to wait for another process that writes


class SQLiteStore(Store):
    """A store in the file `path`."""

    def __init__(self, path):
        self.path, self.own, self.all = path, threading.local(), []
        self.lock = threading.Lock()
        with told(path):
            self.connection().executescript(TABLES)
        self.waiting = queue.SimpleQueue()
        self.writer = threading.Thread(target=self.write_all, name="store", daemon=True)
        self.writer.start()

    def connection(self):
        """This thread's own."""
        if getattr(self.own, "connection", None) is None:
            found = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
            found.execute("pragma journal_mode = wal")
            found.execute("pragma synchronous = full")                  # on disk when it is said to be, whatever fails
            with self.lock:
                self.all.append(found)
            self.own.connection = found
        return self.own.connection

    def read(self, query, *values):
        with told(self.path):
            return self.connection().execute(query, values).fetchall()

    def write(self, *statements):
        """Run (query, rows) pairs in one transaction; returns how many rows each changed, when they are on disk."""
        asked = Future()
        self.waiting.put((statements, asked))
        try:
            return asked.result(timeout=3 * PATIENCE)
        except TimeoutError:
            raise StoreError(f"The store {self.path} has not written for {3 * PATIENCE} seconds.") from None

    def write_all(self):
        """The writer's life: until None comes."""
        while True:
            wanted = [self.waiting.get()]
            while len(wanted) < AT_ONCE and not self.waiting.empty():
                wanted.append(self.waiting.get())
            going_on = [one for one in wanted if one is not None]
            if going_on:
                self.commit(going_on)
            if len(going_on) < len(wanted):
                return

    def commit(self, wanted):
        """All of these, or none; then tell who waits."""
        try:
            with told(self.path):
                connection = self.connection()
                connection.execute("begin immediate")
                try:
                    changed = [[connection.executemany(query, rows).rowcount for query, rows in statements]
                               for statements, _ in wanted]
                    connection.execute("commit")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("rollback")
                    raise
        except Exception as problem:  # whatever it is, it belongs to those who wait
            for _, asked in wanted:
                asked.set_exception(problem)
        else:
            for (_, asked), counts in zip(wanted, changed):
                asked.set_result(counts)

    def add_events(self, events):
        rows = [(event.id, json.dumps(event.user), packed(event)) for event in events]
        return self.write(("insert or ignore into events (id, user, record) values (?, ?, ?)", rows))[0]

    def history(self, user):
        found = self.read("select record from events where user = ? order by number", json.dumps(user))
        return in_order(unpacked(Event, record) for record, in found)

    def add_impression(self, impression):
        self.write(("insert into impressions (record) values (?)", [(packed(impression),)]))

    def impressions(self):
        return [unpacked(Impression, record) for record, in self.read("select record from impressions order by number")]

    def set_stock(self, changes):
        gone = [(json.dumps(item),) for item, there in changes.items() if not there]
        back = [(json.dumps(item),) for item, there in changes.items() if there]
        self.write(("insert or ignore into sold_out values (?)", gone), ("delete from sold_out where item = ?", back))

    def sold_out(self):
        return {json.loads(item) for item, in self.read("select item from sold_out")}

    def add_items(self, items):
        self.write(("insert into items (record) values (?)", [(json.dumps(one),) for one in items]))

    def items(self):
        return [json.loads(record) for record, in self.read("select record from items order by number")]

    def set(self, name, value):
        self.write(("insert or replace into settings values (?, ?)", [(name, json.dumps(value))]))

    def get(self, name, default=None):
        found = self.read("select value from settings where name = ?", name)
        return json.loads(found[0][0]) if found else default

    def close(self):
        self.waiting.put(None)
        self.writer.join()
        for connection in self.all:
            connection.close()


class told:
    """SQLite's errors in one sentence."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, trace):
        if isinstance(problem, sqlite3.Error):
            raise StoreError(f"The store {self.path} cannot be used: {problem}.") from None
