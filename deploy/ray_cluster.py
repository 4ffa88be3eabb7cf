"""Photos of a batch measured by workers on a Ray cluster.

The workers are actors of Ray Core. Ray Data, which runs such batches too, gives a photo that kills its worker to the
next one for ever, and tells nobody which photo it was. What a worker needs is sent to it: the bundle when it starts,
the bytes of each photo when it is to be measured; and its pictures come back as bytes. So no disk need be shared, every
worker has the same networks, and all is written where the command runs. Sent at a time is one photo a worker.

A worker's machine needs the same foliopie and the same libraries as this one, which is looked at before anything is
measured: others might give other millimetres.
"""

import hashlib
import logging
import os
import platform
import shutil
import socket
import tempfile
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import cv2

from deploy.fleet import FleetError, WorkerDied, in_order_again
from deploy.machine import installed
from deploy.meter import Failure
from deploy.photo_task import Looked, PhotoTask, lost, task_alone
from deploy.sources import MAX_STANDARD_INPUT, Source
from scenes.images import PhotoError, photo_size
from scenes.processes import cores

LOCAL = "local"  # the address that stands for a cluster of this machine alone, started for the batch
CODE = ("deploy", "keypoints", "scenes")  # the packages that answers come from
LIBRARIES = ("numpy", "openvino", "pillow", "pillow-heif")
MAX_SENT = MAX_STANDARD_INPUT  # bytes of one photo
REACH_SECONDS = 10.0  # Ray itself tries for minutes
# What Ray raises -> one line on it; its own are twelve.
DEATHS = {"ActorDiedError": "the Ray worker died", "ActorUnavailableError": "the Ray worker cannot be reached"}


def measure_on_ray(address, sources, workers, bundle, options, tell):
    """A generator of deploy.photo_task.Done on every Source, in their order, from a Ray cluster.

    address: "local", HOST:PORT of a cluster that this machine belongs to, or ray://HOST:PORT of any. workers: how many,
    or None for one a processor of the cluster. bundle: of `meter_of`, held in memory. options: the fields of a
    PhotoTask but for its meter. tell: of `in_order_again`. Until it is closed nothing reaches sys.stdout, where Ray
    would tell of dead workers. Raises FleetError, and ModuleNotFoundError without Ray.
    """
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), _connected(address, workers or cores()) as ray:
        workers = min(workers or max(1, int(ray.cluster_resources().get("CPU", 1))), len(sources))
        fleet = RayFleet(ray, PhotoTask(None, *options), bundle, options)
        try:
            yield from in_order_again(fleet, sources, workers, lost, tell)
        except ConnectionError as error:  # of what was reached from outside
            raise FleetError(f"the Ray cluster {address} cannot be reached any more: {_last_line(error)}: what is "
                             "measured is in FILE.part beside --json FILE, and --resume goes on") from error


class Worker:
    """What runs in a Ray worker."""

    def begin(self, needed, bundle, options):
        """Makes ready: one line on what is other here than is needed, or None."""
        if other := differences(needed, what_answers_depend_on()):
            return f"{platform.node()} has {other}"
        self._task = task_alone(bundle, 1, *options)
        return None

    def look(self, name, photo):
        """Looked of a photo's bytes."""
        return self._task.look(name, photo)


@dataclass(frozen=True, eq=False)
class _Ticket:
    """reference: Ray's, to what will be there, or None where looked is there already. source, file: of a photo, the
    Source and what `PhotoTask.file_of` said when it was read."""

    reference: object = None
    looked: Looked | None = None
    source: Source | None = None
    file: dict | None = None


class RayFleet:
    """deploy.fleet.Fleet of Ray actors, a processor and a thread each; things are Sources, answers Done.

    ray: the module, connected. task: a PhotoTask, by which photos are finished here. bundle, options: what a Worker
    begins with.
    """

    def __init__(self, ray, task, bundle, options):
        self._ray, self._task = ray, task
        # What is to be done about a death is decided in deploy.fleet, not by Ray.
        self._actor = ray.remote(Worker).options(num_cpus=1, max_restarts=0, max_task_retries=0)
        self._begin = what_answers_depend_on(), ray.put(bundle), options

    def start(self):
        worker = self._actor.remote()
        return worker, _Ticket(worker.begin.remote(*self._begin))

    def ask(self, worker, source):
        file = self._task.file_of(source)
        try:
            data = bytes_of(source)
        except PhotoError as error:
            answer = Failure(source.name, error.code, error.message).to_json()
            return _Ticket(None, Looked(answer), source, file)
        try:
            # Put by itself: from outside of the cluster an argument of this size goes another way, with a warning.
            return _Ticket(worker.look.remote(source.name, self._ray.put(data)), None, source, file)
        except self._ray.exceptions.RayError as error:
            raise WorkerDied(_why(error)) from error

    def wait(self, tickets, seconds):
        if there := [ticket for ticket in tickets if ticket.looked]:
            return there
        by_reference = {ticket.reference: ticket for ticket in tickets}
        done, _ = self._ray.wait(list(by_reference), num_returns=1, timeout=seconds)
        return [by_reference[reference] for reference in done]

    def result(self, ticket):
        if ticket.source is None:
            return self._begun(ticket)
        try:
            looked = ticket.looked or self._ray.get(ticket.reference)
        except self._ray.exceptions.RayError as error:
            raise WorkerDied(_why(error)) from error
        return self._task.finish(ticket.source, ticket.file, looked)

    def _begun(self, ticket):
        try:
            other = self._ray.get(ticket.reference)
        except self._ray.exceptions.RayError as error:
            # The next one would raise the same. An actor whose module is not there has failed before its first call.
            if isinstance(error, self._ray.exceptions.RayTaskError) or getattr(error, "actor_init_failed", False):
                raise FleetError(f"a Ray worker cannot begin: {_last_line(error)}: every machine of the cluster needs "
                                 "this foliopie") from error
            raise WorkerDied(_why(error)) from error
        if other:
            raise FleetError(f"Ray's machine {other}: other versions may give other millimetres, install the same "
                             "on all machines")

    def end(self, worker):
        with suppress(Exception):  # it is dead already, or the cluster is
            self._ray.kill(worker)


def bytes_of(source):
    """The bytes of a Source. Raises PhotoError as measuring its file would, and for more than MAX_SENT."""
    if source.data is not None:
        return source.data
    size, why = 0, "it is no file"
    try:
        if os.path.isfile(source.path) and (size := os.path.getsize(source.path)) <= MAX_SENT:
            return source.path.read_bytes()
    except OSError as error:
        why = error.strerror
    photo_size(source.path)
    if size > MAX_SENT:
        raise PhotoError("image_too_large", f"the file has {size} bytes, and at most {MAX_SENT} are sent to a Ray "
                                            "worker: make it smaller, or leave --ray out")
    raise PhotoError("unreadable_image", f"the file cannot be read: {why}")


def what_answers_depend_on():
    """{what: version} of foliopie's own code and of the libraries, by which a photo gets the same answer."""
    root, code = Path(__file__).parents[1], hashlib.sha256()
    for file in sorted(path for package in CODE for path in Path(root, package).rglob("*.py")):
        code.update(f"{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return {"foliopie's code": code.hexdigest()[:16], "opencv": cv2.__version__,
            **{name: installed(name) for name in LIBRARIES}}


def differences(needed, found):
    """One line on where two of `what_answers_depend_on` differ; "" for the same."""
    return ", ".join(f"{what} {found.get(what)} in place of {needed.get(what)}" for what in {**needed, **found}
                     if needed.get(what) != found.get(what))


@contextmanager
def _connected(address, processors):
    """Gives the module ray, connected to a cluster; processors: of one that is started for it. Raises FleetError."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # to Ray's makers nothing is sent
    import ray

    folder, started = None, {}
    if address != LOCAL:
        _check_reachable(address)
    else:
        # A folder of its own, which is gone afterwards: Ray leaves logs behind, and photos where its memory is full.
        folder = tempfile.mkdtemp(prefix="ray-")
        started = {"num_cpus": processors, "include_dashboard": False, "_temp_dir": folder}
    try:
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **started)
        except Exception as error:  # it raises nearly anything
            raise FleetError(f"no Ray cluster for --ray {address}: {_last_line(error)}") from error
        yield ray
    finally:
        ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _check_reachable(address):
    """Raises FleetError for what is no address, and where nobody answers at it."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        raise FleetError(f"--ray is {address!r}; it must be {LOCAL}, HOST:PORT or ray://HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise FleetError(f"no Ray cluster for --ray {address}: {error}: start one there with `ray start --head`, or "
                         f"give --ray {LOCAL}") from error


def _why(error):
    """One line on what Ray raised of a worker."""
    return DEATHS.get(type(error).__name__) or _last_line(error)


def _last_line(error):
    """The last line of what Ray raised, without the traceback of the other machine before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
