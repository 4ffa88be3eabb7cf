"""Which models there are, and where their encoders are tapped: plain tables without a framework, so that the command
line and configurations read them too."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Taps:
    """Layer names of one encoder, and what belongs to it.

    builder: its name in keras.applications; "" for `segmentation.models.resnet18`.
    first: the first layer behind whatever normalises inside the model.
    stem: the first convolution and its BatchNorm.
    expects: what its published weights want of their input, a key of `segmentation.models.pretrained.EXPECTED`.
    cuts: layers a pyramid may stand on, the default first; all of one size.
    stride: input pixels per feature pixel there.
    auxiliary: the layer of the auxiliary branch.
    levels: input pixels per feature pixel -> the last layer of that size, for decoders; always without dilation.
    blocks: of each block, in order, what its layers' names begin with.
    dilations: stage -> dilation rate, of stages that keep their input's size under a pyramid.
    """

    builder: str
    first: str
    stem: tuple[str, str]
    expects: str
    cuts: tuple[str, ...]
    stride: int
    auxiliary: str
    levels: dict[int, str]
    blocks: tuple[tuple[str, ...], ...]
    dilations: dict[str, int] = field(default_factory=dict)


def _efficientnet(number: int, lasts: str, first_block: str) -> Taps:
    """lasts: letters of the last repeat in blocks 2 to 5. first_block: the layer that ends block 1.

    The first cut is the thesis's, the widest layer of 30x30 features from 473x473; the second ends the stage before
    with fewer channels and costs much less behind it. The auxiliary branch is at the end of block 4, at 1/16 too.
    """
    second, third, fourth, fifth = lasts
    wide = "block6a_expand_activation"
    return Taps(
        builder=f"EfficientNetB{number}",
        first="stem_conv_pad",
        stem=("stem_conv", "stem_bn"),
        expects="imagenet",
        cuts=(wide, f"block5{fifth}_add"),
        stride=16,
        auxiliary=f"block4{fourth}_add",
        levels={2: first_block, 4: f"block2{second}_add", 8: f"block3{third}_add", 16: wide, 32: "top_activation"},
        blocks=(("stem", "block1"), *((f"block{block}",) for block in range(2, 8))),
    )


def _resnet(number: int, fourth_blocks: int, cut: str, stride: int, auxiliary: str, dilations: dict) -> Taps:
    return Taps(
        builder=f"ResNet{number}",
        first="conv1_pad",
        stem=("conv1_conv", "conv1_bn"),
        expects="caffe",
        cuts=(cut,),
        stride=stride,
        auxiliary=auxiliary,
        levels={2: "conv1_relu", 4: "conv2_block3_out", 8: "conv3_block4_out",
                16: f"conv4_block{fourth_blocks}_out", 32: "conv5_block3_out"},
        blocks=(("conv1", "pool1"), *((f"conv{stage}",) for stage in range(2, 6))),
        dilations=dilations,
    )


BACKBONES = {
    "efficientnet_b0": _efficientnet(0, "bbcc", "block1a_project_bn"),
    "efficientnet_b3": _efficientnet(3, "ccee", "block1b_add"),
    "efficientnet_b4": _efficientnet(4, "ddff", "block1b_add"),
    "efficientnet_b5": _efficientnet(5, "eegg", "block1c_add"),
    # The thesis's truncated form: without the last block, the branch in the middle of block 3. Blocks are counted as
    # the names of the layers do: the same count puts the base form's branch behind block 4, where the paper has it.
    "resnet50": _resnet(50, 6, "conv4_block6_out", 16, "conv3_block2_out", {}),
    # The paper's form: the last two stages dilated, so that features stay at 1/8.
    "resnet101": _resnet(101, 23, "conv5_block3_out", 8, "conv4_block23_out", {"conv4": 2, "conv5": 4}),
    # Cut as the truncated ResNet50 is.
    "resnet18": Taps(
        builder="",
        first="stem_pad",
        stem=("stem_conv", "stem_bn"),
        expects="imagenet",
        cuts=("stage3_block2_relu",),
        stride=16,
        auxiliary="stage2_block2_relu",
        levels={2: "stem_relu", **{2 ** (stage + 1): f"stage{stage}_block2_relu" for stage in range(1, 5)}},
        blocks=(("stem",), *((f"stage{stage}",) for stage in range(1, 5))),
    ),
}

# Name on the command line -> (architecture, backbone). Any architecture stands on any of the backbones, but for
# fast_pspnet, which is built around resnet18.
MODELS = {
    "pspnet-resnet101": ("pspnet", "resnet101"),
    "pspnet-resnet50": ("pspnet", "resnet50"),
    "pspnet-resnet18": ("pspnet", "resnet18"),
    "pspnet-efficientnetb0": ("pspnet", "efficientnet_b0"),
    "pspnet-efficientnetb3": ("pspnet", "efficientnet_b3"),
    "pspnet-efficientnetb4": ("pspnet", "efficientnet_b4"),
    "pspnet-efficientnetb5": ("pspnet", "efficientnet_b5"),
    "fcn32-resnet50": ("fcn32", "resnet50"),
    "fcn16-resnet50": ("fcn16", "resnet50"),
    "fcn8-resnet50": ("fcn8", "resnet50"),
    "fcn8-resnet18": ("fcn8", "resnet18"),
    "fcn8-efficientnetb0": ("fcn8", "efficientnet_b0"),
    "unet-resnet50": ("unet", "resnet50"),
    "unet-resnet18": ("unet", "resnet18"),
    "unet-efficientnetb0": ("unet", "efficientnet_b0"),
    "fast-pspnet": ("fast_pspnet", "resnet18"),
}
