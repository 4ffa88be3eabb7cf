import subprocess
import sys
from pathlib import Path

import pytest

from deploy import machine
from deploy.machine import describe, processor

ROOT = Path(__file__).resolve().parents[2]

TOLD = {"model name": ["Some CPU @ 2 GHz"] * 2, "flags": ["fpu avx2 fma sse avx512_vnni"] * 2, "Features": []}


def test_what_is_told_of_a_machine(monkeypatch):
    monkeypatch.setattr(machine, "_told", TOLD.get)
    told = describe(("numpy", "no-such-package"))
    assert processor() == told["processor"] == "Some CPU @ 2 GHz"
    assert told["flags"] == ["avx2", "fma", "avx512_vnni"] and told["cores"] >= 1
    assert told["versions"]["numpy"][0].isdigit() and told["versions"]["no-such-package"] is None


def test_a_system_that_tells_nothing(monkeypatch):
    monkeypatch.setattr(machine, "_told", lambda key: [])
    assert processor() and describe(())["flags"] == []


def test_the_most_memory_that_a_process_held():
    """In a process of its own, as the benchmark asks; what its parent holds is not counted."""
    program = ("from deploy.machine import peak_memory_mb as held\nbefore = held()\n"
               "if before is not None:\n    big = b'x' * 300_000_000\n    print(before, held())")
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    if not done.stdout:
        pytest.skip("this system does not tell")
    before, after = map(float, done.stdout.split())
    assert before < 200 and 250 < after - before < 350
