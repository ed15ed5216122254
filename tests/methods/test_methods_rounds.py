import pytest
from hypothesis import given
from hypothesis import strategies as st

from handsight.errors import HandsightError
from handsight.methods.rounds import Phase, Plan

FIRST = Phase(rounds=3, prefill=10, locations=4, attempts=6, updates=(2, 5))
SECOND = Phase(rounds=2, prefill=8, locations=4, attempts=3, updates=(1, 1), force=True, frozen_rounds=1)


def test_a_plan_written_out():
    plan = Plan([FIRST, SECOND])
    told = [(r.phase, r.within, r.first_location, r.locations, r.first_step, r.steps) for r in plan.rounds]
    assert told == [
        (0, 0, 0, 10, 0, 0),
        (0, 1, 10, 4, 0, 3),
        (0, 2, 14, 4, 3, 4),
        (0, 3, 18, 4, 7, 5),
        (1, 0, 22, 8, 12, 0),
        (1, 1, 30, 4, 12, 1),
        (1, 2, 34, 4, 13, 1),
    ]
    assert (plan.steps, plan.locations) == (14, 38)
    assert [plan.first_location(phase) for phase in (0, 1)] == [0, 22]
    assert [plan.first_step(phase) for phase in (0, 1)] == [0, 12]
    assert [r.acts_with for r in plan.rounds] == [0, 0, 1, 2, 3, 4, 5]


def test_what_is_frozen():
    plan = Plan([FIRST, SECOND])
    assert [plan.frozen(step) for step in range(14)] == [False] * 12 + [True, False]


def test_the_papers_schedule():
    plan = Plan([Phase(900, 3000, 70, 20, (15, 45)), Phase(900, 3000, 70, 10, (15, 35), True, 100)])
    first, second = plan.phases
    assert [first.updates_in(number) for number in (1, 450, 900)] == [15, 30, 45]
    assert [second.updates_in(number) for number in (1, 900)] == [15, 35]
    # "Roughly 25k gradient steps", "approximately 65k locations" (appendix D).
    assert 25_000 < plan.first_step(1) < 28_000
    assert plan.first_location(1) == 66_000


phases = st.builds(
    Phase,
    rounds=st.integers(1, 6),
    prefill=st.integers(1, 20),
    locations=st.integers(1, 9),
    attempts=st.integers(1, 4),
    updates=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    force=st.booleans(),
    frozen_rounds=st.integers(0, 3),
)


@given(st.lists(phases, min_size=1, max_size=3))
def test_steps_and_locations_belong_to_one_round_each(given_phases):
    plan = Plan(given_phases)
    for step in range(plan.steps):
        this = plan.at_step(step)
        assert this.first_step <= step < this.first_step + this.steps
    for location in range(plan.locations):
        this = plan.at_location(location)
        assert this.first_location <= location < this.first_location + this.locations
    # What a round acts with is known once the one before has begun.
    assert all(this.acts_with < max(this.number, 1) for this in plan.rounds)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rounds": 0}, "rounds is 0; it must be at least 1"),
        ({"attempts": 0}, "attempts is 0; it must be at least 1"),
        ({"updates": (0, 3)}, r"updates are \(0, 3\); each must be at least 1"),
    ],
)
def test_a_phase_that_cannot_be_is_refused(wrong, said):
    arguments = {"rounds": 1, "prefill": 1, "locations": 1, "attempts": 1, "updates": (1, 1)}
    with pytest.raises(HandsightError, match=said):
        Phase(**(arguments | wrong))
