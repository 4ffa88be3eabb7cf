"""ResNet18 (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016) as GluonCV's resnet18_v1b is built,
so that its weights fit, with a last stage as wide as one likes. keras.applications has no ResNet of basic blocks.

Convolutions of stride 2 pad on both sides alike: Keras's "same" pads more on the right, which displaces features by
half a pixel a stage against what such weights were trained with.
"""

import keras
from keras import layers

WIDTHS = (64, 128, 256, 512)
BLOCKS = 2  # of each stage
EPSILON = 1e-5


def build_resnet18(height: int, width: int, widths: tuple[int, ...] = WIDTHS, momentum: float = 0.9) -> keras.Model:
    """Normalised RGB float32 (N, height, width, 3) -> features after each stage, at 1/4, 1/8, 1/16 and 1/32."""
    image = keras.Input((height, width, 3), name="image")
    x = _convolution(image, 64, 7, 2, "stem", momentum)
    x = layers.ReLU(name="stem_relu")(x)
    # Zeros as padding: all values are 0 or more here.
    x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
    x = layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    stages = []
    for number, channels in enumerate(widths, 1):
        for block in range(BLOCKS):
            stride = 2 if number > 1 and block == 0 else 1
            x = _block(x, channels, stride, f"stage{number}_block{block + 1}", momentum)
        stages.append(x)
    return keras.Model(image, stages, name="encoder")


def _block(x, channels: int, stride: int, name: str, momentum: float):
    inner = _convolution(x, channels, 3, stride, f"{name}_1", momentum)
    inner = layers.ReLU(name=f"{name}_1_relu")(inner)
    inner = _convolution(inner, channels, 3, 1, f"{name}_2", momentum)
    if stride > 1 or x.shape[-1] != channels:
        x = _convolution(x, channels, 1, stride, f"{name}_shortcut", momentum)
    x = layers.Add(name=f"{name}_add")([inner, x])
    return layers.ReLU(name=f"{name}_relu")(x)


def _convolution(x, channels: int, kernel: int, stride: int, name: str, momentum: float):
    """Convolution and BatchNorm."""
    if stride > 1 and kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    padding = "valid" if stride > 1 else "same"
    x = layers.Conv2D(channels, kernel, stride, padding=padding, use_bias=False, kernel_initializer="he_normal",
                      name=f"{name}_conv")(x)
    return layers.BatchNormalization(momentum=momentum, epsilon=EPSILON, name=f"{name}_bn")(x)
