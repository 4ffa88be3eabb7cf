"""The machine that figures were measured on: processor, what it can, cores, memory, versions."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from scenes.processes import cores

# What decides the speed of networks, as Linux calls it.
FLAGS = ("avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16",
         "amx_tile", "amx_int8", "amx_bf16", "amx_fp16", "asimd", "asimddp", "i8mm", "bf16", "sve", "fphp")  # fmt: skip


def processor():
    """The processor's name, as far as the system tells it."""
    names = _told("model name")
    return names[0] if names else platform.processor() or platform.machine()


def describe(libraries):
    """dict for JSON: system, processor, cores, flags of FLAGS that it has, memory, and versions of libraries, None
    where one is not installed. No name of the machine, and no path of it."""
    words = set(" ".join(_told("flags")[:1] + _told("Features")[:1]).split())
    return {"system": f"{platform.system()} {platform.machine()}", "processor": processor(), "cores": cores(),
            "flags": [flag for flag in FLAGS if flag in words], "memory_gib": _memory_gib(),
            "python": platform.python_version(), "versions": {name: installed(name) for name in libraries}}


def installed(name):
    """Version of a distribution, or None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def peak_memory_mb():
    """Most memory that this process has ever held, megabytes; None where the system does not tell."""
    try:
        # Not getrusage: a process begins with its parent's figure there.
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    held = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return held[0] / 1024 if held else None


def _told(key):
    """Values of a key in /proc/cpuinfo, one a core."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key]


def _memory_gib():
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None
