"""Networks laid out for a model server, and the client: held against the meter's own runtime, on a stand-in for the
server and, where one is installed, on a real one.

    python -m venv mlserver && mlserver/bin/pip install mlserver openvino==2024.6.0
    FOLIOPIE_MLSERVER=mlserver/bin/python python -m pytest tests/deploy/test_serving.py
"""

import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from deploy.bundle import DEFAULT_FOLDER, Bundle, BundleError
from deploy.commands import deploy
from deploy.meter import PRECISION, FootMeter, load_networks
from deploy.runtimes import OpenVinoRuntime, load_openvino, openvino_operators
from deploy.serving import check_batch, write_serving
from deploy.serving_client import RemoteNetwork, ServerError, main, remote_networks

HERE = Path(__file__).resolve().parent
SAMPLE = DEFAULT_FOLDER.parents[1] / "samples" / "bare_foot.jpg"
DATATYPES = {"uint8": "UINT8", "float32": "FP32"}


def entries(folder):
    return [entry["config"] for entry in json.loads((folder / "config.json").read_text())["model_config_list"]]


@pytest.fixture
def serve(tmp_path):
    """A function (folder of `deploy serving` mounted where it is) -> address of a server that answers with it, at batch
    1, as KServe's protocol of version 2 says. `change` is applied to every answer."""
    servers = []

    def started(folder, change=lambda path, answer: answer):
        networks = {}
        for config in entries(folder):
            (path,) = (Path(config["base_path"]) / "1").glob("*.xml")
            networks[config["name"]] = OpenVinoRuntime(path, config["plugin_config"]["INFERENCE_PRECISION_HINT"], 1)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.removeprefix("/v2/models/")
                if name not in networks:
                    self.reply(404, {"error": f"no model {name}"})
                    return
                network = networks[name]
                tensors = {"inputs": (network.input_name, network.input_dtype, network.input_shape),
                           "outputs": (network.output_name, "float32", network.output_shape)}
                told = {kind: [{"name": tensor, "datatype": DATATYPES[dtype], "shape": list(shape)}]
                        for kind, (tensor, dtype, shape) in tensors.items()}
                self.reply(200, {"name": name, "platform": "OpenVINO"} | told)

            def do_POST(self):
                name = self.path.removeprefix("/v2/models/").removesuffix("/infer")
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                network, (given,), (wanted,) = networks[name], document["inputs"], document["outputs"]
                assert (given["name"], given["datatype"]) == (network.input_name, "UINT8")
                assert wanted == {"name": network.output_name}
                answer = network(np.array(given["data"], np.uint8).reshape(given["shape"]))
                output = {"name": wanted["name"], "datatype": "FP32", "shape": list(answer.shape),
                          "data": answer.ravel().tolist()}
                self.reply(200, {"model_name": name, "outputs": [output]})

            def reply(self, status, document):
                body = json.dumps(change(self.path, document)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_layout_of_openvino_model_server(side_folder, tmp_path):
    out = tmp_path / "new" / "serving"
    done = CliRunner().invoke(deploy, ["serving", str(side_folder), "--out", str(out), "--precision", "fp32"])
    assert done.exit_code == 0 and "segmentation: image (1,24,32,3)" in done.output, done.output
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert files == ["README.md", "config.json",
                     *(f"{model}/1/{model}.fp32.{part}" for model in ("keypoints", "segmentation", "side")
                       for part in ("bin", "xml"))]  # fmt: skip
    assert entries(out)[0] == {
        "name": "keypoints", "base_path": "/models/keypoints", "shape": {"image": "(1,64,48,3)"},
        "plugin_config": {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": PRECISION}}  # fmt: skip
    assert "| side | (1,16,16,4), RGB and mask 0..255, foot_crop | probabilities (1,2) |" in (
        out / "README.md").read_text()  # fmt: skip
    assert [path.name for path in out.parent.iterdir()] == ["serving"]
    again = CliRunner().invoke(deploy, ["serving", str(side_folder), "--out", str(out)])
    assert again.exit_code == 1 and "is there already: give a folder that does not exist yet" in again.output


def test_a_batch_is_stated(bundle, tmp_path):
    write_serving(bundle, tmp_path / "four", mount="/srv/feet/", batch=4)
    config = entries(tmp_path / "four")[1]
    assert config["shape"] == {"image": "(4,24,32,3)"} and config["base_path"] == "/srv/feet/segmentation"
    assert "probabilities (4,24,32,4)" in (tmp_path / "four" / "README.md").read_text()
    with pytest.raises(ValueError, match="must be the absolute path"):
        write_serving(bundle, tmp_path / "out", mount="models")
    with pytest.raises(ValueError, match="batch is 0, must be 1 or more"):
        write_serving(bundle, tmp_path / "out", batch=0)
    with pytest.raises(BundleError, match="keypoints is not there in int8"):
        write_serving(bundle, tmp_path / "out", precision="int8")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("sizes, reason", [([1, 12], "its output would be .1,24"), ([1, 3, 4], "output shape .1,3,4")])
def test_a_network_that_takes_no_other_batch_is_not_served_with_it(tmp_path, sizes, reason):
    openvino, operators = load_openvino(), openvino_operators()
    source = operators.parameter([1, 2, 2, 3], np.float32, "image")
    flat = operators.reshape(source, operators.constant([1, -1] if len(sizes) == 2 else sizes, np.int64), False)
    openvino.save_model(openvino.Model([flat], [source], "fixed"), str(tmp_path / "fixed.xml"))
    described = {"input": {"shape": [1, 2, 2, 3]}, "output": {"shape": sizes}}
    check_batch(tmp_path / "fixed.xml", described, 1)
    with pytest.raises(BundleError, match=f"fixed.xml: takes no batch of 2 .*{reason}.*serve it with --batch 1"):
        check_batch(tmp_path / "fixed.xml", described, 2)


def test_the_client_gets_what_the_runtime_gives(side_folder, tiny, serve, tmp_path):
    bundle = Bundle.load(side_folder)
    write_serving(bundle, tmp_path / "serving", mount=str(tmp_path / "serving"))
    url = serve(tmp_path / "serving")
    own, remote = load_networks(side_folder, threads=1), remote_networks(bundle, url + "/")
    inputs = tiny.inputs(side=True)
    for model in bundle.models:
        assert (getattr(remote, model)(inputs[model]) == getattr(own, model)(inputs[model])).all()
    assert (remote.stride, remote.maps, remote.side_spec) == (own.stride, own.maps, own.side_spec)
    with pytest.raises(ValueError, match="the network takes uint8"):
        remote.keypoints(inputs["segmentation"])


def test_a_request_is_filled_up_to_the_servers_batch(bundle):
    """Three images to a server of batches of two, whose answer to an image is its mean."""
    described = {"input": {"name": "image", "shape": [1, 4, 4, 3]}, "output": {"name": "mean", "shape": [1, 1]}}
    asked = []

    class Server(RemoteNetwork):
        def _ask(self, url, document=None):
            if document is None:
                return {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [2, 4, 4, 3]}],
                        "outputs": [{"name": "mean", "datatype": "FP32", "shape": [2, 1]}]}  # fmt: skip
            given = document["inputs"][0]
            asked.append(given["shape"])
            means = np.reshape(given["data"], given["shape"]).mean(axis=(1, 2, 3))
            return {"outputs": [{"name": "mean", "shape": [2, 1], "data": means.tolist()}]}

    images = np.arange(3, dtype=np.uint8)[:, None, None, None] + np.zeros((3, 4, 4, 3), np.uint8)
    assert Server("http://nowhere", "any", described)(images).tolist() == [[0], [1], [2]]
    assert asked == [[2, 4, 4, 3], [2, 4, 4, 3]]


def test_what_a_server_answers_wrongly_is_one_line_with_its_address(bundle, serve, tmp_path):
    write_serving(bundle, tmp_path / "serving", mount=str(tmp_path / "serving"))
    described = bundle.manifest["models"]["keypoints"]
    with pytest.raises(ServerError, match="http://127.0.0.1:9/v2/models/keypoints gives no answer .*is it up"):
        RemoteNetwork("http://127.0.0.1:9", "keypoints", described)
    url = serve(tmp_path / "serving")
    with pytest.raises(ServerError, match="/v2/models/feet answers 404: .*no model feet"):
        RemoteNetwork(url, "feet", described)
    with pytest.raises(ServerError, match="has inputs .*24, 32.*must be .*64, 48.*serve this bundle's networks"):
        RemoteNetwork(url, "segmentation", described)

    def short(path, answer):
        if path.endswith("infer"):
            answer["outputs"][0]["shape"] = [1, 4, 16, 11]
        return answer

    network = RemoteNetwork(serve(tmp_path / "serving", short), "keypoints", described)
    with pytest.raises(ServerError, match=r"answers .*16, 11.*must answer heatmaps of shape \[1, 4, 16, 12\]"):
        network(np.zeros((1, 64, 48, 3), np.uint8))
    done = CliRunner().invoke(main, ["http://127.0.0.1:9", str(SAMPLE)])
    assert done.exit_code == 1 and done.output.count("\n") == 1 and "gives no answer" in done.output


def same_as_own(url, tmp_path, exact):
    """Holds the client's command on the sample, with the shipped networks at `url`, against the meter.

    exact: to the last bit, as the same OpenVINO gives it; else to a tenth of a pixel and a pixel of the mask in a
    thousand.
    """
    own = FootMeter(load_networks(threads=1)).measure(SAMPLE)
    remote = FootMeter(remote_networks(Bundle.load(), url)).measure(SAMPLE)
    places = [np.array([[corner.x, corner.y] for corner in answer.corners]) for answer in (own, remote)]
    assert np.abs(places[0] - places[1]).max() <= (0 if exact else 0.1)
    assert (own.mask != remote.mask).mean() <= (0 if exact else 1e-3)
    done = CliRunner().invoke(main, [url, str(SAMPLE), "--mask", str(tmp_path / "mask.png")])
    assert done.exit_code == 0, done.output
    told, wanted = json.loads(done.output), own.to_json()
    assert [foot["side"] for foot in told["feet"]] == [foot["side"] for foot in wanted["feet"]] == ["right"]
    if exact:
        same = ("corners", "feet", "sheet", "camera", "warnings")
        assert {key: told[key] for key in same} == {key: wanted[key] for key in same}
    assert (tmp_path / "mask.png").read_bytes()[:4] == b"\x89PNG"
    return places


def test_a_photo_is_measured_over_the_wire_as_here(serve, tmp_path):
    """With the shipped networks and a photo of a foot."""
    write_serving(Bundle.load(), tmp_path / "serving", mount=str(tmp_path / "serving"))
    same_as_own(serve(tmp_path / "serving"), tmp_path, exact=True)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture
def mlserver(tmp_path):
    """Address of an MLServer, of the interpreter that FOLIOPIE_MLSERVER names, with the shipped networks."""
    interpreter = Path(os.environ["FOLIOPIE_MLSERVER"])
    serving, settings = tmp_path / "serving", tmp_path / "mlserver"
    write_serving(Bundle.load(), serving, mount=str(serving))
    for config in entries(serving):
        (xml,) = (Path(config["base_path"]) / "1").glob("*.xml")
        (settings / config["name"]).mkdir(parents=True)
        extra = {key: config[key] for key in ("shape", "plugin_config")}
        document = {"name": config["name"], "implementation": "mlserver_runtime.OpenVinoModel",
                    "parameters": {"uri": str(xml), "extra": extra}}
        (settings / config["name"] / "model-settings.json").write_text(json.dumps(document))
    http, grpc, metrics = free_ports(3)
    document = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics,
                "parallel_workers": 0}
    (settings / "settings.json").write_text(json.dumps(document))
    with open(tmp_path / "log", "w") as log:
        # Every interpreter of an environment has its scripts beside it.
        server = subprocess.Popen([interpreter.with_name("mlserver"), "start", str(settings)], stdout=log, stderr=log,
                                  env=os.environ | {"PYTHONPATH": str(HERE)})  # fmt: skip
    url, until = f"http://127.0.0.1:{http}", time.monotonic() + 120
    try:
        while True:
            assert server.poll() is None and time.monotonic() < until, (tmp_path / "log").read_text()[-2000:]
            try:
                urllib.request.urlopen(f"{url}/v2/health/ready", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield url
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.skipif("FOLIOPIE_MLSERVER" not in os.environ, reason="FOLIOPIE_MLSERVER names no Python with MLServer")
def test_a_photo_is_measured_by_a_real_server_as_here(mlserver, tmp_path):
    program = "import importlib.metadata as m; print(m.version('openvino'))"
    version = subprocess.run([os.environ["FOLIOPIE_MLSERVER"], "-c", program], capture_output=True, text=True).stdout
    import importlib.metadata

    places = same_as_own(mlserver, tmp_path, exact=version.strip() == importlib.metadata.version("openvino"))
    print(f"OpenVINO {version.strip()} there: corners here and there\n", *places, sep="\n")
