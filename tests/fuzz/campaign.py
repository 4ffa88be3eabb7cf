"""A search by atheris: libFuzzer's engine, led by the branches of Python that an input takes.

    OUT/TARGET/corpus/    inputs that took new ways; a later run begins with them
    OUT/TARGET/found/     inputs over which something was raised that must not be, ran out of time or memory, or died
    OUT/TARGET/runs.json  one entry a run: what `run` returns

What is raised is written down, once a kind and place, and the search goes on. Inputs that take too long or too much
memory, and those that kill the process, end it: another one goes on with the rest of the time. Compiled code is not
instrumented, and only seen to fail when it kills the process or grows it.
"""

import contextlib
import json
import os
import random
import re
import resource
import subprocess
import sys
import time
import traceback
import warnings
from datetime import date
from importlib.metadata import version
from pathlib import Path

from scenes.files import write_whole
from tests.fuzz.mutation import MOST_BYTES
from tests.fuzz.targets import target

ROOT = Path(__file__).resolve().parents[2]
INPUT_SECONDS = 20
MEMORY_MB = 1500
OWN_SHARE = 0.6  # of mutations that are the target's, which know its format; the rest are libFuzzer's
# Of Python's own, which may have been imported before: without state, so that they can be once more.
OWN_IMPORTS = {"csv", "json", "json.decoder", "json.scanner", "zipfile"}
SAID_EVERY_S = 5
LEAST_S = 5  # that another process is begun for
PROGRAM = "import sys; from tests.fuzz.campaign import search; search(*sys.argv[1:])"
# What libFuzzer writes an input as that ended its process.
ENDINGS = {"timeout": "took too long", "oom": "took too much memory", "crash": "killed the process"}


def run(name, folder, seconds):
    """Search one target for so many seconds: dict for JSON. folder: OUT."""
    folder = Path(folder) / name
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    (folder / "found").mkdir(exist_ok=True)
    for number, seed in enumerate(target(name).seeds()):
        (folder / "corpus" / f"seed-{number}").write_bytes(seed)
    began, said, runs, log = time.monotonic(), {"answered": 0, "raised": {}}, 0, folder / "log.txt"
    ended = {kind: len(list((folder / "found").glob(f"{kind}-*"))) for kind in ENDINGS}
    peak_mb, processes, spent = 0, 0, _processor_seconds()
    while (left := int(seconds - (time.monotonic() - began))) >= LEAST_S or not processes:
        (folder / "said.json").unlink(missing_ok=True)
        with open(log, "wb") as stream:
            subprocess.run([sys.executable, "-c", PROGRAM, name, str(folder), str(left)], cwd=ROOT, check=False,
                           stdout=stream, stderr=stream, env=os.environ | {"PYTHONPATH": str(ROOT)})
        processes += 1
        text = log.read_text(errors="replace")
        done = re.findall(r"^#(\d+)\s.*cov: (\d+) ft: (\d+) corp: (\d+)/", text, re.MULTILINE)
        if not done:
            raise RuntimeError(f"{name} could not be searched:\n{text[-3000:]}")
        runs += max(int(line[0]) for line in done)
        peak_mb = max([peak_mb, *(int(found) for found in re.findall(r"rss: (\d+)Mb|peak_rss_mb:\s+(\d+)", text)
                                  for found in found if found)])
        if (folder / "said.json").exists():
            one = json.loads((folder / "said.json").read_text())
            said["answered"] += one["answered"]
            said["raised"] |= one["raised"]
    result = {
        "target": name, "date": date.today().isoformat(), "seconds": round(time.monotonic() - began, 1),
        "processor": round(_processor_seconds() - spent, 1), "runs": runs, "answered": said["answered"],
        "processes": processes, "corpus": int(done[-1][3]), "branches": int(done[-1][1]), "peak_mb": peak_mb,
        "raised": sorted(said["raised"].values(), key=lambda one: one["place"]),
        **{what: len(list((folder / "found").glob(f"{kind}-*"))) - ended[kind] for kind, what in ENDINGS.items()},
    }  # fmt: skip
    results = folder / "runs.json"
    before = json.loads(results.read_text()) if results.exists() else []
    write_whole(results, (json.dumps([*before, result], indent=1) + "\n").encode())
    return result


def is_broken(result):
    """Whether a run found something."""
    return bool(result["raised"] or any(result[what] for what in ENDINGS.values()))


def _processor_seconds():
    """Of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def search(name, folder, seconds):
    """What the process of a search does; it does not return."""
    import atheris

    sys.setrecursionlimit(1000)  # of a plain interpreter
    warnings.simplefilter("ignore")
    # Which packages are to be instrumented the target says, and to say it, it is imported: in another process.
    asked = f"from tests.fuzz.targets import target; print(*target({name!r}).INSTRUMENTED)"
    packages = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    for loaded in sys.modules.keys() & OWN_IMPORTS & set(packages):
        del sys.modules[loaded]
    with atheris.instrument_imports(include=packages):
        module = target(name)
        for seed in module.seeds():  # for what is imported only when it is needed
            with contextlib.suppress(Exception):  # which the search finds again
                module.fuzz_one(seed)
    folder, said = Path(folder), {"answered": 0, "raised": {}}
    told = time.monotonic()

    def watched(data):
        nonlocal told
        try:
            said["answered"] += bool(module.fuzz_one(data))
        except Exception as error:
            _keep(error, data, folder, said)
        if time.monotonic() - told > SAID_EVERY_S:
            told = time.monotonic()
            write_whole(folder / "said.json", json.dumps(said).encode())

    def mutate(data, most, seed):
        rng = random.Random(seed)
        if rng.random() < OWN_SHARE:
            return module.mutated(bytes(data), rng)[:most]
        return atheris.Mutate(data, most)

    atheris.Setup(["fuzz", str(folder / "corpus"), f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}",
                   f"-rss_limit_mb={MEMORY_MB}", f"-max_len={MOST_BYTES}", f"-artifact_prefix={folder / 'found'}/",
                   "-print_final_stats=1", "-close_fd_mask=1"], watched, custom_mutator=mutate)
    atheris.Fuzz()


def _keep(error, data, folder, said):
    """One line on an exception, and the input, the first time that this kind of it comes from there."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(ROOT)]
    place = f"{Path(own[-1].filename).relative_to(ROOT)}:{own[-1].lineno}"
    kind = f"{type(error).__name__} at {place}"
    if kind in said["raised"]:
        said["raised"][kind]["times"] += 1
        return
    file = folder / "found" / f"raised-{len(list((folder / 'found').iterdir()))}"
    file.write_bytes(data)
    said["raised"][kind] = {"kind": type(error).__name__, "place": place, "message": str(error)[:200], "times": 1,
                            "input": file.name}
    write_whole(folder / "said.json", json.dumps(said).encode())


def versions():
    """{what searches or reads what a stranger sent: its version}."""
    names = ("atheris", "schemathesis", "hypothesis", "pillow", "pillow-heif", "numpy", "pycocotools", "fastapi",
             "starlette", "python-multipart", "uvicorn", "h11")
    return {"python": sys.version.split()[0]} | {name: version(name) for name in names}
