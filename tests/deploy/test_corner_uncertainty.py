import numpy as np
import pytest

from deploy.corner_uncertainty import corner_sigmas
from deploy.corners import BY_EDGES, BY_MASK, BY_NETWORK, BY_ONE_EDGE, BY_SHAPE


def test_each_corner_has_its_own():
    sigmas = corner_sigmas((BY_EDGES, BY_EDGES, BY_ONE_EDGE, BY_SHAPE), ("visible", "covered", "visible", "covered"),
                           (0.97, 0.2, 0.3, 0.2))
    assert sigmas.tolist() == [0.0025, 0.008, 0.10, 0.10]


@pytest.mark.parametrize("found", [BY_EDGES, BY_ONE_EDGE, BY_NETWORK, BY_MASK, BY_SHAPE])
@pytest.mark.parametrize("state", ["visible", "covered", "outside"])
def test_the_surer_the_network_the_nearer_the_corner(found, state):
    sigmas = [corner_sigmas((found,), (state,), (confidence,))[0] for confidence in (0.1, 0.6, 0.95)]
    assert sigmas == sorted(sigmas, reverse=True) and sigmas[-1] > 0


def test_edges_are_believed_more_than_anything_else():
    for confidence in (0.1, 0.6, 0.95):
        by_edges, *others = corner_sigmas((BY_EDGES, BY_ONE_EDGE, BY_NETWORK, BY_MASK, BY_SHAPE), ("visible",) * 5,
                                          (confidence,) * 5)
        assert by_edges < min(others)


def test_four_corners_need_four_words_of_each_kind():
    with pytest.raises(ValueError):
        corner_sigmas((BY_EDGES,) * 4, ("visible",) * 4, np.ones(3))
