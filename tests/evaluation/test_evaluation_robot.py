from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score

from handsight.errors import HandsightError
from handsight.evaluation.cloning import behaviour_cloning, choose_starts
from handsight.evaluation.dynamics import choose_pairs, inverse_dynamics
from handsight.evaluation.ridge import held_out_predictions
from handsight.evaluation.robot import CONTROLS, Trajectories
from handsight.evaluation.table import in_words

FPS = 10.0


@pytest.fixture(scope="module")
def robot() -> Trajectories:
    """Three joints on smooth random paths, one that never moves; eight episodes of 80 frames."""
    generator = np.random.default_rng(0)
    paths = []
    for _ in range(8):
        velocity = np.cumsum(generator.normal(size=(80, 3)), axis=0) * 0.05
        paths.append(np.cumsum(velocity - velocity.mean(axis=0), axis=0))
    moving = np.concatenate(paths)
    still = np.full((len(moving), 1), 0.7)
    return Trajectories(
        np.column_stack([moving[:, :2], still, moving[:, 2:]]).astype(np.float32),
        np.repeat(np.arange(8), 80),
        FPS,
        ("shoulder", "elbow", "wrist", "gripper"),
    )


@pytest.fixture(scope="module")
def features(robot) -> dict[str, np.ndarray]:
    """A perfect encoder (a linear view of the joints) and one that sees nothing."""
    generator = np.random.default_rng(1)
    mixing = generator.normal(size=(4, 20))
    return {"sees": robot.actions @ mixing + 3, "blind": generator.normal(size=(len(robot.actions), 20))}


def test_inverse_dynamics_of_a_linear_view_is_solved_and_controls_are_not(robot, features):
    probe = inverse_dynamics(
        features, robot, np.random.default_rng(2), gaps=(1, 5, 20), compare=[("sees", "blind")]
    )
    r_squared = {row: cells["R²"] for row, cells in probe.table.cells.items()}
    assert list(r_squared) == ["sees", "blind", "time gap alone", "proprioception alone", "mean action"]
    assert r_squared["sees"].mean > 0.99
    assert r_squared["blind"].mean < 0.05
    assert r_squared["mean action"].mean <= 0
    for row in r_squared.values():
        assert row.low <= row.mean <= row.high
    assert probe.excluded == ("wrist",)
    assert [m.name for m in probe.joints.measures] == ["shoulder", "elbow", "gripper"]
    assert probe.table.notes == ("Left out because they never move: wrist.",)
    assert probe.table.over == "8 episodes"
    assert in_words(probe.table)[0].startswith("sees is above blind on R² by ")


def test_scores_agree_with_scikit_learn(robot, features):
    gaps = (2, 7)
    probe = inverse_dynamics(
        features, robot, np.random.default_rng(2), gaps=gaps, per_episode=40, resamples=100
    )
    pairs = choose_pairs(robot, gaps, 40)
    assert probe.rows_n == len(pairs.first) == 8 * 40
    moving = robot.actions[:, [0, 1, 3]].astype(np.float64)
    done = moving[pairs.second] - moving[pairs.first]
    blind = features["blind"]
    x = np.concatenate([blind[pairs.first], blind[pairs.second] - blind[pairs.first]], axis=1)
    predicted = held_out_predictions(x, done, robot.episode[pairs.first]).predicted
    cells = probe.table.cells["blind"]
    assert cells["R²"].mean == pytest.approx(r2_score(done, predicted))
    error = mean_absolute_error(done, predicted, multioutput="raw_values") / done.std(axis=0)
    assert cells["absolute error / std"].mean == pytest.approx(error.mean())
    by_joint = [probe.joints.cells["blind"][joint].mean for joint in ("shoulder", "elbow", "gripper")]
    np.testing.assert_allclose(by_joint, r2_score(done, predicted, multioutput="raw_values"))


def test_permuted_actions_cannot_be_predicted(robot, features):
    generator = np.random.default_rng(3)
    shuffled = replace(robot, actions=robot.actions[generator.permutation(len(robot.actions))])
    for probe in (inverse_dynamics, behaviour_cloning):
        found = probe(features, shuffled, np.random.default_rng(2), resamples=500)
        for row, cells in found.table.cells.items():
            if (
                row != "proprioception alone"
            ):  # it is the permuted action itself: it knows where the difference starts
                assert cells["R²"].mean < 0.03, row


def test_the_time_gap_alone_predicts_a_robot_that_always_moves_on():
    generator = np.random.default_rng(4)
    position = np.concatenate([np.arange(60) * 0.1 + generator.normal() for _ in range(4)])[:, None]
    steady = Trajectories(
        position + 0.001 * generator.normal(size=(240, 1)), np.repeat(np.arange(4), 60), FPS
    )
    blind = {"blind": generator.normal(size=(240, 5))}
    cells = inverse_dynamics(blind, steady, generator, gaps=(1, 10)).table.cells
    assert cells["time gap alone"]["R²"].mean > 0.99
    assert cells["blind"]["R²"].mean < 0.1


def test_steps_add_up_where_actions_are_deltas(robot, features):
    steps = np.diff(robot.actions.astype(np.float64), axis=0, append=robot.actions[-1:])
    probe = inverse_dynamics(
        features,
        replace(robot, actions=steps),
        np.random.default_rng(2),
        gaps=(5,),
        between="sum",
        resamples=100,
    )
    assert probe.table.cells["sees"]["R²"].mean > 0.99
    with pytest.raises(HandsightError, match="is 'product'; expected difference or sum"):
        inverse_dynamics(features, robot, np.random.default_rng(2), between="product")


def test_pairs_stay_within_an_episode_and_short_ones_lack_long_gaps():
    episode = np.repeat([4, 9, 2, 7], [3, 40, 40, 40])
    trajectories = Trajectories(np.random.default_rng(0).normal(size=(123, 2)), episode, FPS)
    pairs = choose_pairs(trajectories, (1, 10), 20)
    np.testing.assert_array_equal(episode[pairs.first], episode[pairs.second])
    assert set(pairs.gap) == {1, 10}
    short = episode[pairs.first] == 4
    assert set(pairs.gap[short]) == {1}
    assert short.sum() == 2
    assert np.unique(pairs.first[pairs.gap == 10]).size == 30
    np.testing.assert_array_equal(np.union1d(pairs.first, pairs.second), pairs.rows)


def test_many_episodes_give_fewer_rows_each():
    many = Trajectories(np.random.default_rng(0).normal(size=(6000, 1)), np.repeat(np.arange(100), 60), FPS)
    assert len(choose_pairs(many, (1, 2)).first) == 4000
    assert len(choose_starts(many)) == 4000
    np.testing.assert_array_equal(np.bincount(many.episode[choose_starts(many)]), 40)


def test_cloning_sees_a_goal_that_proprioception_does_not():
    # Each episode has targets that only the eye sees; the robot moves towards the present one, step by step.
    generator = np.random.default_rng(5)
    goals = np.repeat(generator.normal(size=(10 * 4, 2)), 20, axis=0)
    actions = np.zeros((800, 2))
    for row in range(1, 800):
        actions[row] = 0.0 if row % 80 == 0 else actions[row - 1] + 0.2 * (goals[row - 1] - actions[row - 1])
    trajectories = Trajectories(actions, np.repeat(np.arange(10), 80), FPS, proprioception=actions)
    eye = np.concatenate([goals, actions], axis=1) @ generator.normal(size=(4, 16))
    probe = behaviour_cloning(
        {"eye": eye},
        trajectories,
        generator,
        horizon_s=0.5,
        points=5,
        compare=[("eye", "proprioception alone")],
    )
    cells = {row: c["R²"].mean for row, c in probe.table.cells.items()}
    assert list(cells) == ["eye", "proprioception alone", "time alone", "mean action"]
    assert cells["eye"] > 0.95
    assert cells["eye"] > cells["proprioception alone"] + 0.05
    assert cells["mean action"] <= 0
    assert probe.table.differences[0].interval.low > 0


def test_cloning_predicts_the_coming_second_and_no_other(robot, features):
    starts = choose_starts(robot, per_episode=7)
    assert len(starts) == 8 * 7
    assert (robot.episode[starts] == robot.episode[starts + 10]).all()
    assert starts[6] == 69  # the last frame with a whole second to come
    probe = behaviour_cloning(features, robot, np.random.default_rng(0), per_episode=7, resamples=100)
    coming = robot.actions.astype(np.float64)[starts[:, None] + np.arange(1, 11)][:, :, [0, 1, 3]]
    predicted = held_out_predictions(features["blind"][starts], coming.reshape(56, -1), robot.episode[starts])
    error = np.square(predicted.predicted.reshape(coming.shape) - coming).sum(axis=(0, 1))
    spread = np.square(coming - coming.mean(axis=0)).sum(axis=(0, 1))
    assert probe.table.cells["blind"]["R²"].mean == pytest.approx((1 - error / spread).mean())
    assert probe.excluded == ("wrist",)


def test_an_action_that_repeats_every_episode_is_given_away_by_time():
    script = np.sin(np.arange(60) / 6)[:, None] + np.arange(60)[:, None] * 0.2
    actions = np.tile(script, (4, 1)) + 0.01 * np.random.default_rng(0).normal(size=(240, 1))
    trajectories = Trajectories(actions, np.repeat(np.arange(4), 60), FPS)
    blind = {"blind": np.random.default_rng(1).normal(size=(240, 3))}
    cells = behaviour_cloning(blind, trajectories, np.random.default_rng(2)).table.cells
    assert cells["time alone"]["R²"].mean > 0.8
    assert cells["blind"]["R²"].mean < 0.05


def test_same_generator_same_table(robot, features):
    one, other = (
        inverse_dynamics(features, robot, np.random.default_rng(7), per_episode=20, resamples=200)
        for _ in range(2)
    )
    assert one.table == other.table


def test_a_joint_that_moves_in_one_episode_only_is_still_scored(robot, features):
    actions = robot.actions.copy()
    actions[robot.episode != 3, 0] = 0.5
    probe = inverse_dynamics(
        features, replace(robot, actions=actions), np.random.default_rng(0), resamples=2000
    )
    shoulder = probe.joints.cells["blind"]["shoulder"]
    assert np.isfinite([shoulder.mean, shoulder.low, shoulder.high]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actions": np.zeros((3, 2))}, r"actions have shape \(3, 2\) for 640 frames"),
        ({"names": ("a",)}, "1 joint names came for 4 joints"),
        ({"names": ("a", "a", "b", "c")}, "joint names a, a, b, c repeat"),
        ({"proprioception": np.zeros((3, 2))}, "proprioception has 3 rows for 640 frames"),
        ({"actions": np.full((640, 4), np.nan)}, "actions hold NaN or infinity"),
        ({"fps": 0.0}, r"0\.0 frames per second; expected a number above 0"),
        ({"episode": np.tile(np.arange(8), 80)}, "frames are scattered; expected consecutive rows"),
    ],
)
def test_trajectories_refuse(robot, change, message):
    with pytest.raises(HandsightError, match=message):
        replace(robot, **change)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ({}, {}, "got no encoders"),
        ({"mean action": np.zeros((640, 2))}, {}, "called 'mean action', as a control is"),
        ({"a": np.zeros((3, 2))}, {}, r"features of 'a' have shape \(3, 2\); expected \[640, D\]"),
        ({"a": np.full((640, 2), np.nan)}, {}, "features of 'a' hold NaN"),
        ({"a": np.zeros((640, 2))}, {"compare": [("a", "b")]}, "no rows b to compare; there are a, "),
    ],
)
def test_probes_refuse(robot, given, options, message):
    for probe in (inverse_dynamics, behaviour_cloning):
        with pytest.raises(HandsightError, match=message):
            probe(given, robot, np.random.default_rng(0), **options)


def test_probes_refuse_what_cannot_be_regressed(robot, features):
    generator = np.random.default_rng(0)
    idle = replace(robot, actions=np.ones((640, 4)))
    with pytest.raises(HandsightError, match="no joint moves between any two frames"):
        inverse_dynamics(features, idle, generator)
    with pytest.raises(HandsightError, match="no joint moves; expected a recording in which the robot acts"):
        behaviour_cloning(features, idle, generator)
    with pytest.raises(HandsightError, match="fewer than 3 episodes are longer than 100 frames"):
        inverse_dynamics(features, robot, generator, gaps=(100,))
    with pytest.raises(HandsightError, match=r"gaps \[0\]"):
        inverse_dynamics(features, robot, generator, gaps=(0,))
    with pytest.raises(HandsightError, match="0 episodes are longer than 9 s; expected at least 3"):
        behaviour_cloning(features, robot, generator, horizon_s=9)
    with pytest.raises(HandsightError, match=r"0\.01 s is less than one frame at 10 frames per second"):
        behaviour_cloning(features, robot, generator, horizon_s=0.01)
    with pytest.raises(HandsightError, match="got 0 starting frames"):
        behaviour_cloning(features, robot, generator, per_episode=0)
    with pytest.raises(HandsightError, match="got 0 moments to predict"):
        behaviour_cloning(features, robot, generator, points=0)


def test_rows_that_a_probe_does_not_use_may_hold_anything(robot, features):
    pairs = choose_pairs(robot, (5,), 10)
    partial = np.full_like(features["sees"], np.nan)
    partial[pairs.rows] = features["sees"][pairs.rows]
    probe = inverse_dynamics(
        {"sees": partial}, robot, np.random.default_rng(0), gaps=(5,), per_episode=10, resamples=50
    )
    assert probe.table.cells["sees"]["R²"].mean > 0.9
    assert set(probe.strengths) == {"sees", *CONTROLS} - {"time alone"}
