import pytest

from scenes.workers import first_does


def run(action, rank=0, of_first=(0.0, 0.0)):
    """first_does of two workers, of which the first tells `of_first` where this is the second."""
    def total(values):
        return [a + b for a, b in zip(values, (0.0, 0.0) if rank == 0 else of_first, strict=True)]

    return first_does(rank, total, action, RuntimeError)


def test_all_have_the_number_of_the_first_and_it_alone_acts():
    assert run(lambda: 7) == 7 and run(lambda: None) == 0
    assert run(lambda: pytest.fail("not the second's to do"), rank=1, of_first=(0.0, 7.0)) == 7


def test_where_the_first_fails_the_others_are_told():
    told = []

    def total(values):
        told.append(values)
        return values

    def action():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first_does(0, total, action, RuntimeError)
    assert told == [[1.0, 0.0]]
    with pytest.raises(RuntimeError, match="worker of rank 0 has stopped"):
        run(action, rank=1, of_first=(1.0, 0.0))
