"""Where the time of a network goes in OpenVINO, layer by layer, as its own profile tells."""

from collections import Counter

from deploy.runtimes import load_openvino

MOST = 10  # layers that are told


def layer_times(xml, images, threads, repeats, hint="f32"):
    """Profile an IR file on images, one after another, each `repeats` times.

    images: uint8 (N, H, W, 3) at the input's size. hint: what it computes floats in. Returns a dict for JSON:
    "milliseconds" of an image, the sum over all layers (measuring them one by one takes time too: it is more than
    without); "layers", how many of them do something; and the MOST expensive in "most", each {"name", "type", "kernel",
    "shape", "milliseconds", "share"}, with the shape of the (first) output as the kernel has it, channels first.
    """
    openvino = load_openvino()
    compiled = openvino.Core().compile_model(xml, "CPU", {
        "PERF_COUNT": True, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": threads})  # fmt: skip
    request = compiled.create_infer_request()
    seconds, kinds = Counter(), {}
    for number in range(1 + repeats):
        for image in images:
            request.infer([image[None]])
            if not number:  # the first time everything is slower
                continue
            for layer in request.profiling_info:
                seconds[layer.node_name] += layer.real_time.total_seconds()
                kinds[layer.node_name] = layer.node_type, layer.exec_type
    shapes = {node.get_friendly_name(): _shape(node) for node in compiled.get_runtime_model().get_ordered_ops()}
    done = [(name, spent) for name, spent in seconds.most_common() if spent > 0]
    total, answers = sum(spent for _, spent in done), repeats * len(images)
    most = [{"name": name, "type": kinds[name][0], "kernel": kinds[name][1], "shape": shapes.get(name),
             "milliseconds": 1000 * spent / answers, "share": spent / total} for name, spent in done[:MOST]]
    return {"milliseconds": 1000 * total / answers, "layers": len(done), "most": most}


def _shape(node):
    """Shape of a node's first output, a list; None where it has none that is static."""
    shape = node.output(0).get_partial_shape() if node.get_output_size() else None
    return list(shape.to_shape()) if shape is not None and shape.is_static else None
