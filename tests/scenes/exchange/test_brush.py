import numpy as np
import pytest

from scenes.exchange.brush import decode, encode
from scenes.exchange.source import Refused


def packed(text):
    text = text.replace(" ", "")
    text += "0" * (-len(text) % 8)
    return [int(text[k:k + 8], 2) for k in range(0, len(text), 8)]


HEADER = f"{2 * 4:032b} 00111 0010 0011 0111 1111"  # 8 values of 8 bits; lengths of 3, 4, 8 and 16 bits


def test_a_stream_written_by_hand():
    """Two pixels: the first transparent, its four values once each in one run; the second opaque, one value four
    times."""
    literal = "0 00 011" + "".join(f"{value:08b}" for value in (9, 8, 7, 0))
    repeated = "1 01 0011 11111111"
    assert decode(packed(HEADER + literal + repeated), (2, 1)).tolist() == [[False, True]]
    assert decode(packed(HEADER + repeated + literal), (1, 2)).tolist() == [[True], [False]]


def test_one_pixel_as_it_is_written():
    assert encode(np.array([[True]])) == packed(f"{4:032b} 00111 0010 0011 0111 1111 1 00 011 11111111")


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (64, 48), (300, 200)])
def test_what_is_written_is_read(size):
    rng = np.random.default_rng(5)
    for region in (rng.random(size[::-1]) > 0.5, np.zeros(size[::-1], bool), np.ones(size[::-1], bool)):
        np.testing.assert_array_equal(decode(encode(region), size), region)


@pytest.mark.parametrize("stream", [
    [], None, "text", [300], [1.5], [-1], packed(HEADER), packed(HEADER + "1 10 11111111 00000000"),
    packed(HEADER + "0 00 111 00000000"), encode(np.ones((2, 2), bool))])
def test_streams_that_are_none_are_refused(stream):
    with pytest.raises(Refused, match="bad_brush"):
        decode(stream, (2, 1))
