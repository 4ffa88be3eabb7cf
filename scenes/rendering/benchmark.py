"""How fast scenes are made, and which part of the work takes how long."""

import multiprocessing
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np


class Stopwatch:
    """Seconds by name of part; an instance serves as the ``timed`` of `render_scene`."""

    def __init__(self):
        self.seconds = {}

    @contextmanager
    def __call__(self, part):
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - began


def _measure(count, size, legs, textures, config):
    """One process: renders the first ``count`` scenes of seed 0 into a folder that is then removed.

    Returns (seconds by part, seconds in all, peak MiB).
    """
    import drjit

    from scenes.rendering.generate import RECORDS, Job, read_sources, write_scene
    from scenes.rendering.scene import render_scene

    cv2.setNumThreads(1)
    drjit.set_thread_count(1)
    watch, sources = Stopwatch(), read_sources(legs, textures, 0)
    render_scene(np.random.default_rng(0), size, sources, config)  # what is loaded once is not counted
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("images", "masks", RECORDS):
            (folder / part).mkdir()
        began = time.perf_counter()
        for index in range(count):
            rng = np.random.default_rng([0, 0, index])
            rendered = render_scene(rng, size, sources, config, timed=watch)
            with watch("writing"):
                write_scene(folder, Job("train", index), 0, rendered)
        seconds = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return watch.seconds, seconds, memory


def run_benchmark(count, workers, size=(240, 320), legs=None, textures=None, config=None):
    """Renders ``count`` scenes in each of 1, 2, 4 ... ``workers`` processes, one after another.

    Returns a dict: scenes a process, size, cores, and "runs": for each number of processes {"workers",
    "scenes_per_minute", "scenes_per_minute_per_process", "peak_mib" of the largest process, "milliseconds" a scene by
    part of the work}.
    """
    from scenes.rendering.config import SceneConfig

    config = config or SceneConfig()
    steps = [n for n in (2**k for k in range(16)) if n < workers] + [workers]
    runs = []
    for number in steps:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(number, context) as pool:
            futures = [pool.submit(_measure, count, size, legs, textures, config) for _ in range(number)]
            results = [future.result() for future in futures]
        slowest = max(seconds for _, seconds, _ in results)
        parts = {part: sum(by_part[part] for by_part, *_ in results) / (number * count) * 1000
                 for part in results[0][0]}
        runs.append({"workers": number, "scenes_per_minute": number * count / slowest * 60,
                     "scenes_per_minute_per_process": count / slowest * 60,
                     "peak_mib": max(memory for *_, memory in results), "milliseconds": parts})
    return {"scenes": count, "size": list(size), "cores": os.cpu_count(), "runs": runs}


def as_table(result):
    """The numbers of `run_benchmark` as text: a line for each number of processes, then the parts of the work."""
    lines = [f"{result['scenes']} scenes of {result['size'][0]}x{result['size'][1]} in each process, "
             f"{result['cores']} cores", "processes  scenes/min  per process  peak MiB"]
    lines += [f"{run['workers']:9d}  {run['scenes_per_minute']:10.0f}  {run['scenes_per_minute_per_process']:11.0f}  "
              f"{run['peak_mib']:8.0f}" for run in result["runs"]]
    parts = result["runs"][0]["milliseconds"]
    lines.append("milliseconds a scene, one process: "
                 + ", ".join(f"{part} {value:.0f}" for part, value in parts.items()))
    return "\n".join(lines)
