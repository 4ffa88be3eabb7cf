import pytest

from segmentation.schedules import constant, poly


def test_poly_by_hand():
    assert poly(0, 100, 0.1) == 0.1
    assert poly(50, 100, 0.1, power=1.0) == pytest.approx(0.05)
    assert poly(75, 100, 0.2, power=0.5) == pytest.approx(0.1)
    assert poly(100, 100, 0.1) == poly(120, 100, 0.1) == 0.0


def test_warmup_rises_to_the_polynomial():
    rates = [poly(step, 1000, 1.0, power=1.0, warmup_steps=4) for step in range(6)]
    assert rates[0] == pytest.approx(0.2) and rates[1] == pytest.approx(0.4 * 0.999)
    assert rates[4] == pytest.approx(0.996)
    assert rates[:5] == sorted(rates[:5]) and rates[5] < rates[4]


def test_constant_but_for_the_same_warmup():
    assert [constant(step, 10, 0.5, warmup_steps=1) for step in (0, 1, 9)] == [0.25, 0.5, 0.5]
    assert constant(0, 10, 0.5) == 0.5
