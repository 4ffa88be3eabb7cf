"""A Keras network as TensorFlow's frozen graph, the form in which the thesis deployed its own."""

from pathlib import Path

import numpy as np

from deploy.runtimes import in_batches
from scenes.files import write_whole


def freeze(model, spec, path, batch=1):
    """Write a Keras model as a frozen graph: `image` uint8 (batch, H, W, 3) in, normalised inside, one output."""
    import tensorflow
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def infer(image):
        return model((tensorflow.cast(image, tensorflow.float32) - spec.mean) / spec.std, training=False)

    signature = [tensorflow.TensorSpec((batch, spec.height, spec.width, 3), tensorflow.uint8, name="image")]
    traced = tensorflow.function(infer, input_signature=signature).get_concrete_function()
    write_whole(path, convert_variables_to_constants_v2(traced).graph.as_graph_def().SerializeToString())


class FrozenGraph:
    """A file of `freeze` in TensorFlow."""

    def __init__(self, path):
        import tensorflow

        graph = tensorflow.compat.v1.GraphDef.FromString(Path(path).read_bytes())
        wrapped = tensorflow.compat.v1.wrap_function(lambda: tensorflow.graph_util.import_graph_def(graph, name=""), [])
        self._answer, self._tensor = wrapped.prune("image:0", "Identity:0"), tensorflow.constant
        self._batch = self._answer.inputs[0].shape[0]

    def __call__(self, images):
        """Outputs float32, first axis N, of images uint8 (N, H, W, 3); N is a multiple of the file's batch. Raises
        ValueError for other images."""
        return np.concatenate([self._answer(self._tensor(batch)).numpy() for batch in in_batches(images, self._batch)])


def keep_to_cpu():
    """Let TensorFlow use no GPU, which it would without being asked. To be called before anything of it runs."""
    import tensorflow

    tensorflow.config.set_visible_devices([], "GPU")


def limit_tensorflow(threads):
    """Let TensorFlow use so many threads, within an operation and for operations side by side, as it does by itself on
    a machine with so many cores. To be called before anything of it runs."""
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
