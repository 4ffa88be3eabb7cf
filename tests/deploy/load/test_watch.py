"""What is seen of processes in /proc, and the growth that is made of it."""

import os
import subprocess
import sys
import time

import pytest

from deploy.load.watch import Sample, Watch, cpu_seconds, family, growth, look

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# Holds 100 MB, 50 handles and 7 threads more than nothing, and has a child.
PROGRAM = """
import subprocess, sys, threading
memory = b"x" * 100_000_000
files = [open(sys.executable, "rb") for _ in range(50)]
end = threading.Event()
threads = [threading.Thread(target=end.wait, daemon=True) for _ in range(7)]
[thread.start() for thread in threads]
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
sys.stdin.read()
child.communicate()
"""


@pytest.fixture
def process():
    """(a process that does PROGRAM, the number of its child)."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        yield started, int(started.stdout.readline())
        started.stdin.close()


def test_memory_handles_and_threads_of_a_process_and_its_children(process):
    started, child = process
    assert family(started.pid) == [started.pid, child]
    seen = look(started.pid, 5, 1.5)
    assert (seen.processes, seen.photos, seen.second) == (2, 5, 1.5)
    alone = look(child)
    assert alone.processes == 1
    assert seen.pss_mb > 95 and seen.parent_mb > 95 > alone.pss_mb > 0
    assert seen.parent_mb + alone.parent_mb > seen.own_mb > 95
    assert 50 + 3 <= seen.handles - alone.handles < 70 and seen.threads == 1 + 7 + alone.threads


def test_a_process_is_watched_until_it_is_gone(process):
    started, _ = process
    done = iter(range(100))
    with Watch(started.pid, lambda: next(done), every=0.01) as watch:
        while len(watch.samples) < 3:
            time.sleep(0.01)
        started.stdin.close()
        started.wait()
        seen = len(watch.samples)
    assert len(watch.samples) <= seen + 1 and [one.photos for one in watch.samples[:3]] == [0, 1, 2]
    with pytest.raises(OSError):
        look(started.pid)


def test_time_of_the_processor():
    before, began = cpu_seconds(os.getpid())[0], time.process_time()
    while time.process_time() - began < 0.1:
        pass
    assert 0.07 <= cpu_seconds(os.getpid())[0] - before


def test_growth_is_told_per_thousand_photos_once_it_has_settled():
    # 50 MB until the first tenth is done, from there 0.5 MB per 1,000; a handle is lost every 500 photos.
    samples = [Sample(float(photos) / 10, photos, 3, 300 + min(photos, 1000) / 20 + photos / 2000, 90.0,
                      100.0, 20 + photos // 500, 9) for photos in range(0, 10_001, 250)]
    told = growth(samples)
    assert (told["photos"], told["seconds"]) == (10_000, 1000.0)
    assert told["pss_mb"]["per_1000"] == told["pss_mb"]["per_1000_last_half"] == pytest.approx(0.5)
    assert told["pss_mb"]["first"] == 300 and told["pss_mb"]["last"] == 355
    assert told["pss_mb"]["settled"]["least"] == 350.5
    assert told["handles"]["per_1000"] == pytest.approx(2.0, abs=0.01)
    assert told["parent_mb"]["per_1000"] == told["threads"]["per_1000"] == 0.0
    assert growth(samples[:4]) is None and growth([]) is None and growth(samples[:1] * 9) is None
