"""What Prometheus is told."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    """Counts of one service."""

    def __init__(self):
        self.registry = CollectorRegistry()
        own = {"registry": self.registry}
        self.requests = Counter("recbook_requests", "Answers.", ["route", "status"], **own)
        self.seconds = Histogram("recbook_request_seconds", "From a request to its answer.", ["route"], buckets=BUCKETS, **own)
        self.events = Counter("recbook_events", "Events that were kept.", **own)
        self.impressions = Counter("recbook_impressions", "Lists that were shown.", ["version", "by"], **own)
        self.items = Counter("recbook_items_shown", "Items on these lists.", ["version"], **own)
        self.share = Gauge("recbook_version_share", "Share of the users whom a version answers.", ["version"], **own)

    def shown(self, answer):
        """Count an answer of /recommend."""
        self.impressions.labels(answer["version"], answer["by"]).inc()
        self.items.labels(answer["version"]).inc(len(answer["items"]))

    def shares(self, versions):
        """The versions as they are now."""
        self.share.clear()
        for version in versions:
            self.share.labels(version.name).set(version.share)


class Timed:
    """Counts and times every answer, under the route's name and not under what strangers type."""

    def __init__(self, app, metrics):
        self.app, self.metrics = app, metrics

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def noting(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self.metrics.requests.labels(route, status).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - start)
