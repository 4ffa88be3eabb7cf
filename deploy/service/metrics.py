"""What a service counts, for Prometheus. No label comes from what a client sends."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

MEASURED = "measured"
GONE = "client_gone"
STAGES = ("upload", "waiting", "read", "networks", "geometry", "overlay")
RESTARTS = ("died", "timed_out", "not_loaded")

# From what a fast machine needs for one stage of a small photo to the time limits.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BYTES = tuple(1e5 * 2**power for power in range(10))


class Metrics:
    """Of one service: a registry of its own, so that several of them in a process do not meet."""

    def __init__(self):
        self.registry = CollectorRegistry()
        own = {"namespace": "foliopie", "registry": self.registry}
        self.requests = Counter("requests", "Photos asked about, by status and code", ("status", "code"), **own)
        self.request_seconds = Histogram("request_seconds", "From a request on a photo to its answer",
                                         buckets=SECONDS, **own)
        self.stage_seconds = Histogram("stage_seconds", "Spent on a photo, by stage", ("stage",), buckets=SECONDS,
                                       **own)
        self.photo_bytes = Histogram("photo_bytes", "Sizes of photos that arrived", buckets=BYTES, **own)
        self.warnings = Counter("warnings", "Warnings in answers, by code", ("code",), **own)
        self.in_flight = Gauge("in_flight", "Requests on photos under way", **own)
        self.restarts = Counter("worker_restarts", "Worker processes that were replaced, by why", ("why",), **own)
        self._queue = Gauge("queue_length", "Photos that wait for a worker", **own)
        self._workers = Gauge("workers_alive", "Worker processes that can measure", **own)
        # A series that is there from the beginning can be told from one that never was.
        for stage in STAGES:
            self.stage_seconds.labels(stage)
        for why in RESTARTS:
            self.restarts.labels(why)
        ProcessCollector(registry=self.registry)

    def watch(self, pool):
        """Tell of a WorkerPool from now on."""
        self._queue.set_function(lambda: pool.waiting)
        self._workers.set_function(lambda: pool.alive)

    def restarted(self, why):
        """Count a worker process that was replaced. why: of RESTARTS."""
        self.restarts.labels(why).inc()

    def text(self):
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
