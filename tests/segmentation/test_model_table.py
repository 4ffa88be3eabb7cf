import pytest
from click.testing import CliRunner

from segmentation.commands import segmentation
from segmentation.model_table import model_config, model_rows
from segmentation.models.taps import MODELS


def pspnet_parameters(encoder, features, auxiliary_features, level, auxiliary, head=512, classes=4):
    """Counted by hand: kernels without bias and four values of BatchNorm a channel, classifiers with bias."""
    levels = 4 * (features * level + 4 * level)
    joined = (features + 4 * level) * 9 * head + 4 * head
    branch = auxiliary_features * 9 * auxiliary + 4 * auxiliary
    return encoder + levels + joined + branch + (head + auxiliary + 2) * classes


def test_parameters_are_those_counted_by_hand():
    base, fcn, fast = model_rows(["pspnet-efficientnetb0", "fcn8-resnet18", "fast-pspnet"])
    assert base.parameters == pspnet_parameters(945_920, 672, 80, level=168, auxiliary=128)
    assert base.thesis_form == pspnet_parameters(945_920, 672, 80, level=512, auxiliary=512)
    assert base.printed == "15M" and round(base.thesis_form / 1e6) == 15
    encoder, head, doublings, scores = 11_186_112, 512 * 512 * 9 + 4 * 512, 2 * 256, (513 + 257 + 129) * 4
    assert fcn.parameters == encoder + head + doublings + scores and fcn.thesis_form is None
    assert (base.features, fcn.features, fast.features) == (30, 15, None)
    assert (base.smallest, fcn.smallest, fast.smallest) == (81, 32, 192)


@pytest.mark.parametrize("name", MODELS)
def test_every_name_is_a_configuration(name):
    config = model_config(name)
    assert (config.architecture, config.backbone) == MODELS[name]


def test_a_name_that_is_none_is_wrong_usage():
    result = CliRunner().invoke(segmentation, ["models", "pspnet-vgg16"])
    assert result.exit_code == 2 and "unet-resnet18" in result.output
