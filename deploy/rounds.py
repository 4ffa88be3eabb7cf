"""Rounds through all that is timed, so that a machine that gets slower or faster meanwhile does so to all alike."""


def in_order(timed, number_of_round):
    """The list as a round goes through it: every second round backwards."""
    return timed[::-1] if number_of_round % 2 else timed
