"""The store with a Redis server: several services share it, and it outlives the machine that serves."""

import json
from contextlib import contextmanager
from urllib.parse import urlsplit

from recbook.errors import ModelError
from recbook.service.store import Event, Impression, Store, StoreError, in_order, packed, unpacked

PREFIX = "recbook:"
ADD = """
local new = 0
for i = 1, #ARGV, 3 do
    if redis.call('SADD', KEYS[1], ARGV[i]) == 1 then
        redis.call('RPUSH', KEYS[2] .. ARGV[i + 1], ARGV[i + 2])
        new = new + 1
    end
end
return new
"""                     # a script runs as a whole: all events of a request are there, or none


class RedisStore(Store):
    """A store at `redis://[:password@]host:port/number`.

    What it has taken is with the server; whether it survives the server is the server's `appendonly`.
    """

    def __init__(self, address):
        try:
            import redis
        except ImportError:
            raise ModelError("A store in Redis needs its client: pip install 'recbook[serving]'.") from None
        self.where = urlsplit(address).hostname or urlsplit(address).path                       # without the password
        self.errors = redis.RedisError
        try:
            self.server = redis.Redis.from_url(address, decode_responses=True, socket_timeout=5, socket_connect_timeout=5)
        except ValueError as problem:
            raise StoreError(f"{self.where} is no address of a Redis server: {problem}.") from None
        with self.told():
            self.server.ping()
        self.keeps = self.is_kept()

    def is_kept(self):
        """Whether the server writes each change to its disk; None where it does not say."""
        try:
            return self.server.config_get("appendonly").get("appendonly") == "yes"
        except self.errors:                                             # a hosted server may forbid the question
            return None

    @contextmanager
    def told(self):
        """Redis's errors in one sentence."""
        try:
            yield
        except self.errors as problem:
            raise StoreError(f"The store at {self.where} cannot be used: {str(problem).rstrip('.')}.") from None

    def add_events(self, events):
        rows = [part for event in events for part in (event.id, json.dumps(event.user), packed(event))]
        with self.told():
            return self.server.eval(ADD, 2, f"{PREFIX}ids", f"{PREFIX}events:", *rows)

    def history(self, user):
        with self.told():
            found = self.server.lrange(f"{PREFIX}events:{json.dumps(user)}", 0, -1)
        return in_order(unpacked(Event, record) for record in found)

    def add_impression(self, impression):
        with self.told():
            self.server.rpush(f"{PREFIX}impressions", packed(impression))

    def impressions(self):
        with self.told():
            return [unpacked(Impression, record) for record in self.server.lrange(f"{PREFIX}impressions", 0, -1)]

    def set_stock(self, changes):
        with self.told(), self.server.pipeline(transaction=True) as together:
            for item, there in changes.items():
                (together.srem if there else together.sadd)(f"{PREFIX}sold_out", json.dumps(item))
            together.execute()

    def sold_out(self):
        with self.told():
            return {json.loads(item) for item in self.server.smembers(f"{PREFIX}sold_out")}

    def add_items(self, items):
        with self.told():
            self.server.rpush(f"{PREFIX}items", *(json.dumps(one) for one in items))

    def items(self):
        with self.told():
            return [json.loads(record) for record in self.server.lrange(f"{PREFIX}items", 0, -1)]

    def set(self, name, value):
        with self.told():
            self.server.hset(f"{PREFIX}settings", name, json.dumps(value))

    def get(self, name, default=None):
        with self.told():
            found = self.server.hget(f"{PREFIX}settings", name)
        return default if found is None else json.loads(found)

    def close(self):
        self.server.close()
