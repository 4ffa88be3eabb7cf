"""A runtime for MLServer that answers with an IR file in OpenVINO; it runs in MLServer's environment, not in ours."""

import sys

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse, MetadataTensor

DATATYPES = {"uint8": "UINT8", "float32": "FP32"}


def described(port):
    datatype = DATATYPES[port.get_element_type().to_dtype().name]
    return MetadataTensor(name=port.get_any_name(), datatype=datatype, shape=list(port.shape))


class OpenVinoModel(MLModel):
    """Parameters: uri, the .xml; extra, the "shape" and "plugin_config" of config.json."""

    async def load(self):
        sys.modules["openvino_telemetry"] = None  # so that it sends nothing, see deploy.runtimes.load_openvino
        import openvino

        extra = self.settings.parameters.extra
        core = openvino.Core()
        network = core.read_model(self.settings.parameters.uri)
        shape = extra["shape"]["image"].strip("()").split(",")
        network.reshape({"image": [int(size) for size in shape]})
        self._compiled = core.compile_model(network, "CPU", extra["plugin_config"])
        self.inputs = [described(port) for port in self._compiled.inputs]
        self.outputs = [described(port) for port in self._compiled.outputs]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        image = NumpyCodec.decode_input(payload.inputs[0])
        answer = self._compiled(image)[0]
        return InferenceResponse(model_name=self.name,
                                 outputs=[NumpyCodec.encode_output(self.outputs[0].name, answer)])  # fmt: skip
