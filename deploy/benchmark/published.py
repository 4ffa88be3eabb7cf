"""Speeds that were published for such networks, which stand beside those that are measured."""

# Of the thesis that foliopie reproduces, sections on deployment; other networks of the same kinds, on other machines.
SOURCE = "thesis"
ROWS = (
    {"subject": "keypoints", "name": "SimplePose, ONNX, GPU", "seconds": 0.15},
    {"subject": "keypoints", "name": "SimplePose, OpenVINO, CPU of an Intel server", "seconds": 0.15},
    {"subject": "segmentation", "name": "PSPNet on EfficientNetB4, TensorFlow frozen graph, NVIDIA Tesla T4",
     "images_per_second": 33.0},
    {"subject": "segmentation", "name": "PSPNet on Caffe's ResNet101, TensorFlow frozen graph, NVIDIA Tesla T4",
     "images_per_second": 12.0},
)  # fmt: skip


def published():
    """Rows for JSON: subject, name, source, and milliseconds or images_per_second as published, the other None."""
    return [{"subject": row["subject"], "name": row["name"], "source": SOURCE,
             "milliseconds": 1000 * row["seconds"] if "seconds" in row else None,
             "images_per_second": row.get("images_per_second")} for row in ROWS]
