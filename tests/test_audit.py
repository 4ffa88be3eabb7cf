"""The list of findings that `make audit` accepts, which is not run here: it needs PyPI's advisories."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ACCEPTED = [line for line in (ROOT / "audit-accepted.txt").read_text().splitlines() if line and line[0] != "#"]


def test_each_accepted_finding_has_a_package_that_is_pinned_and_a_reason():
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    found = [re.fullmatch(r"((?:CVE|GHSA|PYSEC)-[\w-]+) ([\w-]+): (.{10,})", line).groups() for line in ACCEPTED]
    assert len({identifier for identifier, _, _ in found}) == len(found) > 0
    assert {package for _, package, _ in found} <= pinned


def test_pip_audit_is_told_of_them_for_the_training_stack_alone_and_passes_over_nothing():
    told = subprocess.run(["make", "--dry-run", "audit"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    everything, container = re.findall(r"^\.audit/bin/pip-audit .*$", told, re.MULTILINE)
    assert re.findall(r"--requirement (\S+)", everything) == ["constraints.txt"]
    assert re.findall(r"--ignore-vuln (\S+)", everything) == [line.split()[0] for line in ACCEPTED]
    assert "--strict" in everything and "--strict" in container and "--ignore-vuln" not in container
    assert re.findall(r"--requirement (\S+)", container) == ["deploy/service/container/constraints.txt"]
