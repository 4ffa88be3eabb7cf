"""How many processes there is room for, and workers that do not outlive what started them."""

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.connection import wait


def cores() -> int:
    """How many cores this process may use; at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with_parent(pipe: int | None = None) -> None:
    """Makes this process end when its parent does, also when that is killed and can tell nobody.

    pipe: descriptor of a pipe's end to read from, whose other end the parent alone has and never writes to; by default
    that of a process of multiprocessing.
    """
    pipe = multiprocessing.parent_process().sentinel if pipe is None else pipe
    if sys.platform == "linux":
        import fcntl

        # The kernel's doing, which needs nothing of this process: a library may hang with Python's lock, or a signal
        # have stopped it. (That a process may be told of its parent's end is no help: a thread's counts as such.)
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    # Elsewhere, and where the parent was gone before.
    threading.Thread(target=_wait_and_end, args=(pipe,), daemon=True).start()


def _wait_and_end(pipe):
    wait([pipe])
    os._exit(1)
