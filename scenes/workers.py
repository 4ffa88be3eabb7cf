"""What the trainings in several processes have in common, whichever framework carries their sums."""

from collections.abc import Callable


def first_does(
    rank: int, total: Callable[[list[float]], list[float]], action: Callable[[], float | None], error: type[Exception]
) -> float:
    """Call `action` at rank 0 while the others wait; returns, at every worker, the number that it gives, 0 for None.

    Args:
        rank: this worker's, from 0.
        total: gives the sums of a list over all workers, which every worker must ask for.
        error: raised at the others when the action fails.

    Raises:
        What the action raises, at rank 0; `error` at the others.
    """
    fault, told = None, 0.0
    if rank == 0:
        try:
            told = float(action() or 0.0)
        except BaseException as raised:  # the others must not wait for ever, whatever it is
            fault = raised
    failed, told = total([float(fault is not None), told])
    if fault is not None:
        raise fault
    if failed:
        raise error("the worker of rank 0 has stopped; its message says why")
    return told
