"""Measures a photo with networks that run on a server: an example of a client of KServe's protocol of version 2.

    python -m deploy.serving_client http://localhost:8000 photo.jpg

sends the photo, fitted to each network's input, to the networks that `foliopie deploy serving` laid out for OpenVINO
Model Server (any other server of that protocol does as well), and makes corners, mask and millimetres of the maps that
come back, as `foliopie measure` does of those of its own. Of the protocol it needs two requests, both over REST:

    GET  /v2/models/keypoints         the names, types and shapes of what the network takes and gives
    POST /v2/models/keypoints/infer   {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 256, 192, 3],
                                                   "data": [...]}]}, answered by "outputs" of the same form
"""
import json
import urllib.error
import urllib.request
from pathlib import Path

import click
import numpy as np

from deploy.bundle import DEFAULT_FOLDER, Bundle, BundleError
from deploy.meter import FootMeter, SheetError, networks_of
from deploy.runtimes import check_images
from scenes.files import mask_png, write_whole
from scenes.images import PhotoError

TIMEOUT_S = 30.0


class ServerError(Exception):
    """A server that does not answer, or with other than it should; one line with its address."""


class RemoteNetwork:
    """A network on a server, called like deploy.runtimes.OpenVinoRuntime.

    url: of the server, as http://localhost:8000. name: of the network there. described: its entry in the bundle's
    manifest, which what the server says of it is held against. Raises ServerError.
    """

    def __init__(self, url, name, described, timeout_s=TIMEOUT_S):
        self._url, self._timeout_s = f"{url.rstrip('/')}/v2/models/{name}", timeout_s
        self._source, self._target = described["input"], described["output"]
        told = self._ask(self._url)
        for kind, tensor, datatype in (("inputs", self._source, "UINT8"), ("outputs", self._target, "FP32")):
            found = [(one.get("name"), one.get("datatype"), one.get("shape", [])[1:]) for one in told.get(kind, [])]
            wanted = tensor["name"], datatype, tensor["shape"][1:]
            if found != [wanted]:
                raise ServerError(f"{self._url} has {kind} {found}, must be {[wanted]}: serve this bundle's networks")
        self._batch = max(1, told["inputs"][0]["shape"][0])  # -1 is any

    def __call__(self, images):
        """Outputs float32, first axis N, of images uint8 (N, H, W, C). Raises ServerError.

        A request holds as many images as the server wants; the last one is filled up with black.
        """
        check_images(images, self._source["shape"][1:])
        missing = np.zeros((-len(images) % self._batch, *images.shape[1:]), np.uint8)
        filled = np.concatenate([images, missing])
        parts = [self._infer(filled[first : first + self._batch]) for first in range(0, len(filled), self._batch)]
        return np.concatenate(parts)[: len(images)]

    def _infer(self, images):
        name, shape = self._target["name"], [len(images), *self._target["shape"][1:]]
        sent = {"name": self._source["name"], "datatype": "UINT8", "shape": list(images.shape),
                "data": images.ravel().tolist()}
        answer = self._ask(f"{self._url}/infer", {"inputs": [sent], "outputs": [{"name": name}]})
        found = {output.get("name"): output for output in answer.get("outputs", [])}
        if name not in found or found[name].get("shape") != shape:
            told = {key: output.get("shape") for key, output in found.items()}
            raise ServerError(f"{self._url} answers {told}, must answer {name} of shape {shape}: serve this bundle's "
                              "networks")
        return np.array(found[name]["data"], np.float32).reshape(shape)

    def _ask(self, url, document=None):
        """The JSON that a GET, or with a document a POST, is answered with."""
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            reason = " ".join(error.read().decode(errors="replace").split())[:200]
            raise ServerError(f"{url} answers {error.code}: {reason}") from error
        except (OSError, ValueError) as error:
            raise ServerError(f"{url} gives no answer ({error}): is it up, and is this its REST port?") from error


def remote_networks(bundle, url):
    """deploy.meter.Networks that ask the server at `url` for the networks of a Bundle. Raises ServerError."""
    return networks_of(bundle, {model: RemoteNetwork(url, model, bundle.manifest["models"][model])
                                for model in bundle.models})


@click.command()
@click.argument("url")
@click.argument("photo", type=click.Path(path_type=Path))
@click.option("--bundle", type=click.Path(file_okay=False, path_type=Path), default=DEFAULT_FOLDER,
              help="The bundle that is served.  [default: the one that ships with foliopie]")
@click.option("--mask", type=click.Path(path_type=Path), metavar="FILE", help="Write the photo's classes, a PNG.")
def main(url, photo, bundle, mask):
    """Measure the feet in PHOTO with the networks on the server at URL; the answer is JSON."""
    try:
        measurement = FootMeter(remote_networks(Bundle.load(bundle), url)).measure(photo)
    except (BundleError, ServerError, PhotoError, SheetError) as error:
        raise click.ClickException(str(error)) from error
    if mask is not None:
        write_whole(mask, mask_png(measurement.mask))
    click.echo(json.dumps(measurement.to_json(), indent=1))


if __name__ == "__main__":
    main()
