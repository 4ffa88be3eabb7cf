"""The Dockerfile and the Kubernetes example, which are not run here: what they name is there, and what they promise."""

import configparser
import json
import re
import shlex
from importlib.metadata import requires, version
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from deploy.service import commands, server

ROOT = Path(__file__).resolve().parents[3]
CONTAINER = ROOT / "deploy" / "service" / "container"
CONSTRAINTS = CONTAINER / "constraints.txt"
EXTRA = "serve"
# MXNet 1.9.1 keeps numpy, and with it OpenCV, and NNCF 2.14 keeps OpenVINO where they are.
HELD_BACK = {"numpy", "opencv-python-headless", "openvino"}
NEEDED_BY_OPENVINO = {"openvino-telemetry"}
RESOURCES = {one["kind"]: one for one in yaml.safe_load_all((CONTAINER / "kubernetes.yaml").read_text())}
POD = RESOURCES["Deployment"]["spec"]["template"]["spec"]
(MAIN,) = POD["containers"]
# Instruction and what is said after it, one a pair; lines that go on are joined.
STEPS = [tuple(line.split(maxsplit=1)) for line in
         re.sub(r"\\\n\s*", "", (CONTAINER / "Dockerfile").read_text()).splitlines() if line and line[0] != "#"]


def said(instruction):
    return [rest for name, rest in STEPS if name == instruction]


def test_the_image_is_built_of_all_that_the_wheel_is_made_of():
    copied = {source for rest in said("COPY") if not rest.startswith("--from") for source in rest.split()[:-1]}
    for name in copied:
        assert (ROOT / name).exists(), name
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    packages = set(re.findall(r"^(\w+)$", config["options.packages.find"]["include"], re.MULTILINE))
    files = {"foliopie.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"}
    assert packages | files == copied
    ignored = (CONTAINER / "Dockerfile.dockerignore").read_text().split()
    assert {name[1:] for name in ignored if name[0] == "!"} == copied
    (extra,) = re.findall(r"\.whl\)\[(\w+)\]", said("RUN")[0])
    (constraints,) = re.findall(r" -c (\S+)", said("RUN")[0])
    assert extra == EXTRA and ROOT / constraints == CONSTRAINTS


def pins(path):
    """{package: version} of a constraints file; every line of it says which version, exactly."""
    lines = [line for line in path.read_text().splitlines() if line and line[0] != "#"]
    found = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups() for line in lines]
    assert len(dict(found)) == len(lines)
    return {canonicalize_name(name): exactly for name, exactly in found}


def test_the_image_s_constraints_name_all_that_is_installed_and_no_more():
    """What needs what is told by the packages that are installed here; of another version than the image's, one tells
    nothing of what it needs."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"], config["options.extras_require"][EXTRA]
    waiting = [Requirement(line) for part in lines for line in part.split("\n") if line]
    held, needed = pins(CONSTRAINTS), NEEDED_BY_OPENVINO.copy()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        assert name in held and requirement.specifier.contains(held[name]), str(requirement)
        if name not in needed and version(name) == held[name]:
            wanted = map(Requirement, requires(name) or [])
            waiting.extend(one for one in wanted if not one.marker or one.marker.evaluate({"extra": ""}))
        needed.add(name)
    assert needed == held.keys()


def test_the_image_holds_what_is_tested_but_for_what_training_holds_back():
    held, tested = pins(CONSTRAINTS), pins(ROOT / "constraints.txt")
    differing = {name for name in held if held[name] != tested[name]}
    assert differing == HELD_BACK
    assert all(Version(held[name]) > Version(tested[name]) for name in differing)


def test_the_image_runs_the_command_as_nobody_and_asks_whether_it_is_alive(service):
    (user,), (entry,), (health,), (port,) = map(said, ("USER", "ENTRYPOINT", "HEALTHCHECK", "EXPOSE"))
    assert int(user.split(":")[0]) > 0 and STEPS.index(("USER", user)) > STEPS.index(("FROM", said("FROM")[-1]))
    program, command, *options = json.loads(entry)
    assert program.endswith("/foliopie") and command == "serve"
    assert options == ["--host", "0.0.0.0", "--port", port]
    (path,) = re.findall(rf"http://127\.0\.0\.1:{port}(/\w+)", health)
    assert service.ask("GET", path).status_code == 200


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_the_probes_ask_what_there_is(service, probe):
    asked = MAIN[probe]["httpGet"]
    path = asked["path"]
    assert asked["port"] == MAIN["ports"][0]["name"] and service.ask("GET", path).status_code == 200
    # Who cannot measure yet is not to be killed for it.
    service.pool.alive = 0
    assert (service.ask("GET", path).status_code == 503) == (probe != "livenessProbe")


def test_ports_names_and_labels_belong_together():
    (port,) = MAIN["ports"]
    assert str(port["containerPort"]) in said("EXPOSE")
    notes = RESOURCES["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert notes["prometheus.io/port"] == str(port["containerPort"])
    labels = RESOURCES["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert RESOURCES["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]
    assert RESOURCES["NetworkPolicy"]["spec"]["ingress"][0]["ports"] == [{"port": port["name"]}]
    for chosen in (RESOURCES["Deployment"]["spec"]["selector"]["matchLabels"], RESOURCES["Service"]["spec"]["selector"],
                   RESOURCES["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
                   RESOURCES["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"]):
        assert chosen.items() <= labels.items()
    target = RESOURCES["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", RESOURCES["Deployment"]["metadata"]["name"])


def test_the_container_may_do_no_more_than_it_must():
    rights = MAIN["securityContext"]
    assert rights["readOnlyRootFilesystem"] and not rights["allowPrivilegeEscalation"]
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert POD["securityContext"]["runAsNonRoot"] and not POD["automountServiceAccountToken"]
    assert {"cpu", "memory"} <= MAIN["resources"]["limits"].keys() and "volumes" not in POD
    # It asks nobody: a policy for leaving that lets nothing leave.
    policy = RESOURCES["NetworkPolicy"]["spec"]
    assert "Egress" in policy["policyTypes"] and "egress" not in policy


def test_its_options_are_those_of_the_command_and_its_time_to_end_is_long_enough(monkeypatch):
    begun = []
    monkeypatch.setattr(server, "listen", lambda host, port: None)
    monkeypatch.setattr(server, "serve", lambda settings, bundle, listening, grace_s: begun.append((settings, grace_s)))
    options = shlex.split(" ".join(MAIN["args"]))
    assert CliRunner().invoke(commands.serve, options).exit_code == 0
    ((settings, grace_s),) = begun
    cores = float(MAIN["resources"]["limits"]["cpu"])
    assert settings.workers * settings.threads <= cores
    assert POD["terminationGracePeriodSeconds"] > grace_s + MAIN["lifecycle"]["preStop"]["sleep"]["seconds"]
    # What waits, and what is measured after it was received: no photo has less time than its limits.
    assert grace_s >= 2 * settings.timeout_s
    held = 2 * settings.max_bytes * (settings.uploads + settings.queue + settings.workers)
    at_work = settings.workers * (230e6 + 18 * settings.max_pixels)
    assert held + at_work < int(MAIN["resources"]["limits"]["memory"].removesuffix("Gi")) * 2**30
