"""How many processes there is room for, and workers that do not outlive what started them."""

import multiprocessing
import os
import threading
from multiprocessing.connection import wait


def cores() -> int:
    """How many cores this process may use; at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with_parent():
    """Makes this process end when its parent does, also when that is killed and can tell nobody."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end():
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
