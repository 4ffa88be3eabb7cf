"""Workers that die: order, what is tried again, what is given up, how many are under way, what ends them."""

import itertools

import pytest

from deploy.fleet import STARTS, FleetError, WorkerDied, in_order_again


class Drill:
    """A Fleet of numbers, whose workers answer in an order of their own and die when told to.

    dies: {thing: how often a worker dies over it}. dead_starts: numbers of workers that die before they are
    ready. slow: things that are done only when nothing else is under way. never: numbers of workers that never start.
    """

    def __init__(self, dies=(), dead_starts=(), slow=(), never=()):
        self.dies, self.dead_starts, self.slow, self.never = dict(dies), dead_starts, slow, never
        self.count, self.ended, self.asked, self.most = itertools.count(), [], [], 0

    def start(self):
        worker = next(self.count)
        return worker, ("start", worker, None)

    def ask(self, worker, thing):
        assert worker not in self.ended
        if thing == "unsent":
            raise WorkerDied("nothing can be sent to it")
        self.asked.append(thing)
        return "thing", worker, thing

    def wait(self, tickets, seconds):
        can = [ticket for ticket in tickets if not (ticket[0] == "start" and ticket[1] in self.never)]
        self.most = max(self.most, sum(ticket[0] == "thing" for ticket in tickets))
        return sorted(can, key=lambda ticket: (ticket[2] in self.slow, -ticket[1]))[:1]

    def result(self, ticket):
        kind, worker, thing = ticket
        if kind == "start":
            if worker in self.dead_starts:
                raise WorkerDied("it is dead")
            return None
        if self.dies.get(thing, 0):
            self.dies[thing] -= 1
            raise WorkerDied(f"worker {worker} is dead")
        return 10 * thing

    def end(self, worker):
        self.ended.append(worker)


def answers_of(fleet, things, workers, told=None):
    told = [] if told is None else told
    return in_order_again(fleet, things, workers, lambda thing, how: f"{thing}: {how}",
                          lambda thing, line: told.append((thing, line)))


@pytest.mark.parametrize("workers", [1, 3])
def test_answers_come_in_the_order_of_the_things(workers):
    fleet = Drill(slow=(0, 7, 19))
    assert list(answers_of(fleet, range(20), workers)) == [10 * number for number in range(20)]
    assert sorted(fleet.asked) == list(range(20)) and fleet.most <= workers
    assert sorted(fleet.ended) == list(range(workers))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_what_a_worker_died_over_once_is_answered_by_another(workers):
    fleet, told = Drill({number: 1 for number in range(9)}), []
    assert list(answers_of(fleet, range(9), workers, told)) == [10 * number for number in range(9)]
    assert sorted(fleet.asked) == sorted([*range(9), *range(9)])
    assert sorted(thing for thing, _ in told) == list(range(9)) and "given to another worker" in told[0][1]
    assert len(set(fleet.ended)) == workers + 9  # none that died is asked again, and none is left


@pytest.mark.parametrize("workers", [1, 3])
def test_what_kills_two_is_given_up_and_the_rest_goes_on(workers):
    fleet = Drill({2: 2, 5: 99})
    answers = list(answers_of(fleet, range(6), workers))
    assert [answers[number] for number in (0, 1, 3, 4)] == [0, 10, 30, 40]
    for number in (2, 5):
        assert answers[number].startswith(f"{number}: no answer from 2 workers; of the last: worker ")
        assert fleet.asked.count(number) == 2


def test_a_worker_to_which_nothing_can_be_sent_is_dead():
    answers = list(answers_of(Drill(), ["unsent"], 1))
    assert answers == ["unsent: no answer from 2 workers; of the last: nothing can be sent to it"]


@pytest.mark.parametrize("workers", [1, 2])
def test_of_endless_things_few_are_taken(workers):
    taken, fleet = itertools.count(), Drill(slow=(3,))
    answers = answers_of(fleet, (next(taken) for _ in itertools.count()), workers)
    assert [next(answers) for _ in range(5)] == [0, 10, 20, 30, 40]
    assert next(taken) <= 5 + 2 * workers
    answers.close()
    assert sorted(fleet.ended) == list(range(workers))


def test_a_slow_thing_holds_up_what_is_taken_but_loses_nothing():
    """Everything is answered but the first when that comes: nobody is busy then, and yet it is not over."""
    assert list(answers_of(Drill(slow=(0,)), range(30), 2)) == [10 * number for number in range(30)]


def test_workers_that_never_start_do_not_hold_up_those_that_did():
    fleet = Drill(never=(0, 2, 3))
    assert list(answers_of(fleet, range(10), 4)) == [10 * number for number in range(10)]
    assert sorted(fleet.ended) == [0, 1, 2, 3]


def test_a_long_wait_for_the_first_worker_is_said_once():
    fleet, told, waits = Drill(never=(0,)), [], itertools.count()
    wait = fleet.wait

    def frees_a_processor_at_last(tickets, seconds):
        if next(waits) == 3:
            fleet.never = ()
        return wait(tickets, seconds)

    fleet.wait = frees_a_processor_at_last
    assert list(answers_of(fleet, [1], 1, told)) == [10]
    assert len(told) == 1 and told[0][0] is None and "waiting for a free processor" in told[0][1]


def test_some_starts_may_fail_and_too_many_in_a_row_may_not():
    assert list(answers_of(Drill(dead_starts=range(STARTS - 1)), range(4), 1)) == [0, 10, 20, 30]
    # One that is ready in between, and dies over a thing.
    fleet = Drill({0: 1}, dead_starts={*range(2 * STARTS - 1)} - {STARTS - 1})
    assert list(answers_of(fleet, range(4), 1)) == [0, 10, 20, 30]
    fleet = Drill(dead_starts=range(STARTS))
    with pytest.raises(FleetError, match="in a row were lost before they were ready; of the last: it is dead: see"):
        list(answers_of(fleet, range(4), 1))
    assert set(fleet.ended) == set(range(STARTS))


def test_without_things_nothing_is_asked():
    assert list(answers_of(Drill(), [], 2)) == []
    for workers in (0, 1.5):
        with pytest.raises(ValueError, match="must be a whole number, 1 or more"):
            list(answers_of(Drill(), [1], workers))
