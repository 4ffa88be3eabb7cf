"""Losses of the segmentation networks, from logits, in backend-neutral Keras operations.

All take `labels` integer (N, H, W) and `logits` float32 (N, H, W, C) and return a scalar. Labels of C and more belong
to no class: their pixels count in no loss.
"""

from keras import ops

# The thesis's weights for background, sheet, left foot and right foot.
CLASS_WEIGHTS = (0.1, 1.0, 2.0, 2.0)
FOCAL_WEIGHTS = (0.15, 0.45, 0.9, 0.9)

# The power of 1 - p in the focal loss: its paper's, the thesis names none.
FOCAL_GAMMA = 2.0

# Added to both sides of the Dice fraction, in pixels: keeps a class that is nowhere in the batch at a loss near 0.
DICE_SMOOTHING = 1.0


def categorical(labels, logits):
    """Cross-entropy, mean over the pixels that belong to a class."""
    entropy, counted = _cross_entropy(labels, logits)
    return ops.sum(entropy) / ops.maximum(ops.sum(counted), 1.0)


def weighted(labels, logits):
    """Cross-entropy times the true class's weight, mean over pixels (not divided by the sum of weights)."""
    entropy, counted = _cross_entropy(labels, logits)
    weights = _weights(CLASS_WEIGHTS, labels, logits)
    return ops.sum(entropy * weights) / ops.maximum(ops.sum(counted), 1.0)


def focal(labels, logits):
    """Cross-entropy times (1 - p)^gamma, p the true class's probability, and that class's weight; mean over pixels.

    Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017.
    """
    entropy, counted = _cross_entropy(labels, logits)
    # 1 - p, from the entropy -log(p) without loss of digits where p is near 1.
    doubt = -ops.expm1(-entropy)
    weights = _weights(FOCAL_WEIGHTS, labels, logits)
    return ops.sum(weights * ops.power(doubt, FOCAL_GAMMA) * entropy) / ops.maximum(ops.sum(counted), 1.0)


def dice(labels, logits):
    """1 - mean over classes of the soft Dice coefficient 2 sum(p y) / (sum(p) + sum(y)) of the whole batch.

    Milletari et al., V-Net, 2016, with probabilities summed and not their squares.
    """
    counted = ops.cast(labels < logits.shape[-1], logits.dtype)[..., None]
    probabilities = ops.softmax(logits) * counted
    truth = ops.one_hot(_valid_labels(labels, logits), logits.shape[-1], dtype=logits.dtype) * counted
    overlap = ops.sum(probabilities * truth, axis=(0, 1, 2))
    total = ops.sum(probabilities, axis=(0, 1, 2)) + ops.sum(truth, axis=(0, 1, 2))
    return 1.0 - ops.mean((2.0 * overlap + DICE_SMOOTHING) / (total + DICE_SMOOTHING))


LOSSES = {"categorical": categorical, "weighted": weighted, "focal": focal, "dice": dice}


def loss_named(name: str):
    """The loss a name stands for; "weighted+dice" is the sum of two.

    Raises:
        ValueError: for an unknown name.
    """
    terms = name.split("+")
    unknown = [term for term in terms if term not in LOSSES]
    if unknown:
        raise ValueError(f"loss {name!r}: no loss called {unknown[0]!r}; there are {', '.join(LOSSES)}, joined with +")

    def total(labels, logits):
        return sum(LOSSES[term](labels, logits) for term in terms)

    return LOSSES[name] if len(terms) == 1 else total


def _valid_labels(labels, logits):
    labels = ops.cast(labels, "int32")
    return ops.where(labels < logits.shape[-1], labels, 0)


def _weights(of_classes: tuple[float, ...], labels, logits):
    """The weight of each pixel's class, float32 (N, H, W)."""
    return ops.take(ops.convert_to_tensor(of_classes, dtype=logits.dtype), _valid_labels(labels, logits))


def _cross_entropy(labels, logits):
    """(cross-entropy, 1 where the pixel counts), both float32 (N, H, W); the first is 0 where it does not."""
    counted = ops.cast(labels < logits.shape[-1], logits.dtype)
    entropy = ops.sparse_categorical_crossentropy(_valid_labels(labels, logits), logits, from_logits=True)
    return entropy * counted, counted
