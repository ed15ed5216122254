import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import Queue

import numpy as np
import pytest
import torch
from blocks_place import Block, Blocks

import handsight as hs
from handsight.agents import make_memory
from handsight.agents import memory as memories
from handsight.agents.exploration import FEEDBACK, FORCE, MASK, POINT
from handsight.agents.feedback import SelfSupervision
from handsight.agents.gathering import EXPERIENCE, Waiting
from handsight.agents.learning import senses_of
from handsight.agents.memory import SNAPSHOTS
from handsight.errors import HandsightError
from handsight.methods import LearningToInteract, SimCLR
from handsight.objectives.attempted import UNTESTED
from handsight.recordings import Recording, check, journal
from handsight.worlds.places import LocationError

NETWORK = {"image_size": 90, "encoder_options": {"width": 0.1}, "hidden": 8}
TINY = {"channels": [4, 4, 8, 8], "stem_width": 4}
PLAN = {
    "rounds": 3, "force_rounds": 2, "prefill": 6, "locations": 3, "attempts": 8, "force_attempts": 4,
    "updates": (1, 2), "force_updates": (2, 2), "frozen_rounds": 1,
}  # fmt: skip
TRAINING = {
    "batch_size": 4,
    "log_every": 1,
    "checkpoint_every": 2,
    "accelerator": "cpu",
    "precision": "32-true",
}


class Failing(Blocks):
    def apply_force(self, *arguments):
        return replace(super().apply_force(*arguments), diverged=True)


def blocks(**options):
    things = (
        Block(6, 6, 5, (200, 30, 30), size=24),
        Block(40, 8, 30, (30, 200, 30), size=30),
        Block(50, 55, 200, (30, 30, 200), size=30, mass_kg=5),
    )
    return Blocks(things, **options)


def method(**options):
    torch.manual_seed(0)
    return LearningToInteract(**{**NETWORK, **PLAN, **options})


def test_an_agent_senses_as_its_method_says_and_by_default_as_the_authors_do():
    assert senses_of(method()) == SelfSupervision()
    finer = method(superpixel_px=50, superpixel_share=0.5, difference="flow", kernel="gaussian")
    expected = SelfSupervision(superpixel_px=50, superpixel_share=0.5, difference="flow", kernel="gaussian")
    assert senses_of(finer) == expected
    with pytest.raises(HandsightError, match="superpixel_px is 0; it starts at 1"):
        senses_of(method(superpixel_px=0))


def told(folder: Path) -> list[dict]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [
        {key: value for key, value in json.loads(line).items() if not key.startswith("seconds")}
        for line in lines
    ]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Sums come out the same to the last bit with as many threads as the processes that are killed have."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return hs.pretrain(method(), blocks(), out=tmp_path_factory.mktemp("whole") / "run", **TRAINING)


def test_a_run_acts_learns_and_keeps_what_it_went_through(whole):
    plan = method().plan
    assert [line["step"] for line in told(whole)] == list(range(plan.steps))
    assert all(("force" in line) == (line["step"] >= plan.first_step(1)) for line in told(whole))
    recording = Recording(whole / EXPERIENCE)
    assert recording.num_episodes == plan.locations == recording.num_frames
    assert check(whole / EXPERIENCE) == []
    feedback, mask = recording.stream(FEEDBACK), recording.stream(MASK)
    assert (feedback[:15] >= 0).all()  # eight attempts without forces, four with them
    assert (feedback[15:, 4:] == -1).all()
    assert set(np.unique(feedback[:15])) <= {0, 1}
    assert (mask.any(axis=(2, 3)) == (feedback > 0)).all()
    assert mask.any(), "nothing moved in all this time"
    assert set(recording.facts["round"].tolist()) == set(range(7))
    np.testing.assert_array_equal(
        recording.facts["attempts_n"], recording.facts["chosen_n"] + recording.facts["random_n"]
    )


def test_what_was_learned_can_be_loaded_and_used(whole):
    segmenter = hs.load_segmenter(whole)
    sight = blocks().enter(None)
    (things,) = segmenter.segment(sight.image[None], sight.depth_m[None], threshold=-50.0)
    assert things.masks.shape[1:] == (90, 90)
    assert hs.load_encoder(whole).embed(sight.image[None]).shape == (1, hs.load_encoder(whole).embedding_size)


def test_other_methods_train_on_what_it_went_through(whole, tmp_path):
    network = {
        "encoder": "resnet18",
        "image_size": 30,
        "encoder_options": {"channels": [4, 4, 8, 8], "stem_width": 4},
    }
    run = hs.pretrain(
        SimCLR(**network),
        Recording(whole / EXPERIENCE),
        out=tmp_path / "simclr",
        steps=1,
        batch_size=4,
        split="all",
    )
    assert (run / "encoder").exists()


def test_it_learns_from_a_recording_as_from_its_memory(whole, tmp_path):
    again = method()
    run = hs.pretrain(again, Recording(whole / EXPERIENCE), out=tmp_path / "again", split="all", **TRAINING)
    assert len(told(run)) == again.plan.steps
    assert all(("force" in line) == (line["step"] >= again.plan.first_step(1)) for line in told(run))
    recording = Recording(whole / EXPERIENCE)
    feedback, force = recording.stream(FEEDBACK)[:], recording.stream(FORCE)[:]
    assert (force[:15][feedback[:15] >= 0] == UNTESTED).all()
    assert (force[15:][feedback[15:] >= 0] >= 0).all()


def test_a_batch_holds_different_experiences_of_the_phase(tmp_path):
    made = method(force_rounds=2)
    memory = make_memory(made, blocks(), tmp_path, batch_size=4, seed=0, split="train", workers=1)
    try:
        seen = set()
        for step in range(made.plan.steps):
            memory.turn_to(step, made.acting_weights)
            batch = memory.batch("experience", step)
            this = made.plan.at_step(step)
            drawn = batch["clip"].tolist()
            assert len(set(drawn)) == 4
            assert min(drawn) >= made.plan.first_location(this.phase)
            assert max(drawn) < this.first_location + this.locations
            halves = [memory.batch("experience", step, rank, 2)["clip"] for rank in (0, 1)]
            assert torch.cat(halves).tolist() == drawn
            memory.learn(batch["clip"], torch.full((4,), 0.02))
            seen |= set(drawn)
        assert len(seen) > 4
    finally:
        memory.close()
    recorded = Recording(tmp_path / EXPERIENCE).stream(POINT)
    assert torch.equal(batch[POINT], torch.from_numpy(recorded[drawn].copy()))


def test_what_was_gone_through_after_the_checkpoint_takes_nobodys_place(tmp_path):
    """A kill rounds after the checkpoint that the run goes on from, with a memory that is full."""
    made = method(rounds=6, force_rounds=0, prefill=5, locations=4, updates=(1, 1))
    made.memory_capacity = 5
    first = make_memory(made, blocks(), tmp_path, batch_size=4, seed=0, split="train", workers=0)
    for step in range(made.plan.steps):
        first.turn_to(step, made.acting_weights)
        if step == 2:
            state = {"priorities": torch.from_numpy(first._priorities)}  # and no weights are let go of
            wanted = first.batch("experience", step)
    first.close()
    for lost in (False, True):  # or a power failure, which takes what is not sealed
        if lost:
            shutil.rmtree(tmp_path / EXPERIENCE)
        second = make_memory(made, blocks(), tmp_path, batch_size=4, seed=0, split="train", workers=0)
        second.restore(state, 2)
        second.turn_to(2, made.acting_weights)
        batch = second.batch("experience", 2)
        second.close()
        assert all(torch.equal(batch[name], wanted[name]) for name in wanted)
        assert wanted["frames"].any()


def test_weights_are_let_go_of_once_what_was_done_with_them_is_on_the_disk(tmp_path, monkeypatch):
    made = method(rounds=6, force_rounds=0, updates=(1, 1))
    memory = make_memory(made, blocks(), tmp_path, batch_size=4, seed=0, split="train", workers=0)
    for step in range(made.plan.steps):
        memory.turn_to(step, made.acting_weights)

    def weights():
        return len(list((tmp_path / SNAPSHOTS).iterdir()))

    secured = []
    monkeypatch.setattr(
        journal, "synchronise", lambda path: secured.append((path, path.stat().st_size, weights()))
    )
    memory.state()
    memory.close()
    ((path, size, kept),) = secured
    assert path.parent.parent == tmp_path / EXPERIENCE
    assert size > 0
    assert (kept, weights()) == (7, 3)


def test_weights_that_are_gone_are_missed_in_one_line(tmp_path):
    made = method(rounds=2, force_rounds=0, updates=(1, 1))
    memory = make_memory(made, blocks(), tmp_path, batch_size=4, seed=0, split="train", workers=0)
    state = memory.state()
    memory.restore(state, 2)
    with pytest.raises(
        HandsightError, match=r"round-000000\.safetensors is gone.*train anew, in another folder"
    ):
        memory.turn_to(2, made.acting_weights)
    memory.close()


def test_one_attempt_is_at_random(tmp_path):
    made = method(rounds=1, force_rounds=0, attempts=1, updates=(1, 1))
    run = hs.pretrain(made, blocks(), out=tmp_path / "run", workers=0, **TRAINING)
    facts = Recording(run / EXPERIENCE).facts
    assert set(facts["chosen_n"].tolist()) == {0}
    assert set(facts["random_n"].tolist()) == {1}


def test_what_is_of_little_use_is_drawn_rarely(tmp_path):
    made = method(rounds=1, force_rounds=0, prefill=20, locations=1, attempts=1, updates=(200, 200))
    counts = {}
    for prioritised in (True, False):
        made.prioritised = prioritised
        memory = make_memory(
            made, blocks(), tmp_path / str(prioritised), batch_size=4, seed=0, split="train", workers=1
        )
        memory.learn(torch.arange(10), torch.full((10,), 0.02))
        drawn = torch.cat([torch.from_numpy(memory._draw("experience", step)) for step in range(200)])
        memory.close()
        counts[prioritised] = int((drawn < 10).sum())
    assert counts[False] == pytest.approx(200 * 4 * 10 / 21, rel=0.15)
    assert counts[True] < counts[False] / 3


def test_the_oldest_are_forgotten(tmp_path):
    made = method(rounds=3, force_rounds=0, prefill=6, locations=3, memory_capacity=5)
    memory = make_memory(made, blocks(), tmp_path, batch_size=4, seed=0, split="train", workers=1)
    try:
        memory.turn_to(made.plan.steps - 1, made.acting_weights)
        drawn = memory.batch("experience", made.plan.steps - 1)["clip"]
        assert drawn.min() >= made.plan.locations - 5
    finally:
        memory.close()


KILLED = """
import sys
sys.path[:0] = {path!r}
from test_agents_memory import blocks, hs, method, torch, TRAINING
torch.set_num_threads(1)
if __name__ == "__main__":
    hs.pretrain(method(), blocks(), out={out!r}, **TRAINING)
"""


@pytest.mark.parametrize("moment", ["filling", "step 1", "step 6"])
def test_a_run_that_is_killed_goes_on_as_if_it_had_not_been(moment, whole, tmp_path):
    out = tmp_path / "run"
    code = KILLED.format(path=[str(Path(__file__).parent)], out=str(out))
    process = subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None and not _reached(out, moment):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run = hs.pretrain(method(), blocks(), out=out, **TRAINING)
    one, other = (Recording(folder / EXPERIENCE) for folder in (whole, run))
    assert one.num_episodes == other.num_episodes
    for name, feature in one.features.items():
        if feature.is_camera:
            assert (one.frames(range(one.num_frames)) == other.frames(range(one.num_frames))).all()
        else:
            np.testing.assert_array_equal(one.stream(name), other.stream(name), err_msg=name)
    assert told(whole) == told(run)


def _reached(out: Path, moment: str) -> bool:
    if moment == "filling":
        journal = list((out / EXPERIENCE).rglob("*.arrow"))
        return bool(journal) and sum(path.stat().st_size for path in journal) > 20_000
    log = out / "log.jsonl"
    return log.exists() and len(log.read_text().splitlines()) > int(moment.split()[1])


def test_ctrl_c_while_the_world_is_waited_for_is_heard(tmp_path):
    made = method()
    memory = make_memory(made, blocks(), tmp_path, batch_size=4, seed=0, split="train", workers=1)
    memory.stopping = lambda: True
    with pytest.raises(Waiting):
        memory.turn_to(0, made.acting_weights)
    memory.close()


class Broadcast:
    """What the first of two processes shares, as the other gets it; both are threads here."""

    def __init__(self):
        self.sent, self.sizes = Queue(), []

    def give(self, value):
        self.sizes.append(None if value is None else len(value[POINT]))
        self.sent.put(value)
        return value

    def take(self, _):
        return self.sent.get(timeout=60)


def two_memories(tmp_path, monkeypatch):
    monkeypatch.setattr(memories, "PIECE_N", 4)
    monkeypatch.setattr(memories, "PATIENCE_S", 0.01)
    made, between = method(), Broadcast()
    common = {"batch_size": 4, "seed": 0, "split": "train", "workers": 1}
    first = make_memory(made, blocks(), tmp_path, **common, share=between.give)
    other = make_memory(method(), blocks(), tmp_path, **common, share=between.take, first_process=False)
    return made, between, first, other


def test_experiences_are_shared_in_pieces_as_they_come(tmp_path, monkeypatch):
    made, between, first, other = two_memories(tmp_path, monkeypatch)
    with ThreadPoolExecutor() as pool:
        receiving = pool.submit(other.turn_to, 0, made.acting_weights)
        first.turn_to(0, made.acting_weights)
        receiving.result(timeout=60)
    # Nothing was there yet when they had been waiting for a while, and that was said too.
    assert 0 in between.sizes
    assert max(between.sizes) <= 4
    assert sum(between.sizes) == PLAN["prefill"] + PLAN["locations"]
    for step in range(2):
        mine, others = (one.batch("experience", step) for one in (first, other))
        for name in mine:
            torch.testing.assert_close(mine[name], others[name], rtol=0, atol=0)
    first.close()
    other.close()


def test_all_processes_stop_together_while_the_world_is_waited_for(tmp_path, monkeypatch):
    made, between, first, other = two_memories(tmp_path, monkeypatch)
    first.stopping = lambda: len(between.sizes) > 2
    with ThreadPoolExecutor() as pool:
        receiving = pool.submit(other.turn_to, 0, made.acting_weights)
        with pytest.raises(Waiting, match="stopped while the world was waited for"):
            first.turn_to(0, made.acting_weights)
        with pytest.raises(Waiting):
            receiving.result(timeout=60)
    first.close()
    other.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda out: hs.pretrain(SimCLR(image_size=90), blocks(), out=out, steps=1),
         "simclr does not act while it learns, it takes recordings; .*learning-to-interact"),
        (lambda out: hs.pretrain(method(), blocks(image_size=120), out=out, **TRAINING),
         "blocks shows pictures of 120 pixels and learning-to-interact learns from 90"),
        (lambda out: hs.pretrain(method(), blocks(), out=out, **{**TRAINING, "batch_size": 7}),
         r"a batch of 7 is larger than the 6 locations .*\(--prefill\)"),
        (lambda out: method(rounds=0, force_rounds=0), "rounds and force_rounds are 0"),
        (lambda out: method(rounds=-1), "rounds is -1; it must be at least 0"),
        (lambda out: method(force_attempts=0), "force_attempts is 0; it must be at least 1"),
        (lambda out: method(frozen_rounds=-1), "frozen_rounds is -1; it must be at least 0"),
        (lambda out: method(frozen_rounds=3), "frozen_rounds is 3; it must be at most force_rounds"),
        (lambda out: hs.pretrain(method(encoder="resnet18", image_size=80, encoder_options=TINY),
                                 blocks(image_size=80), out=out, **TRAINING),
         r"blocks shows pictures of 80 pixels; give a multiple of 3: what moved is told in cells"),
        (lambda out: method(memory_capacity=0), "memory_capacity is 0; it must be at least 1"),
        (lambda out: method(force_weight=-1.0), "force_weight is -1; it must be at least 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make, said, tmp_path):
    with pytest.raises(HandsightError, match=said):
        make(tmp_path / "run")
    assert not (tmp_path / "run" / EXPERIENCE).exists()


def test_a_world_that_fails_is_told_of(tmp_path):
    place = Failing(blocks().blocks)
    said = "nothing could be done at 10 locations one after another, last in table: the simulation failed;"
    with pytest.raises(HandsightError, match=said):
        hs.pretrain(method(), place, out=tmp_path / "run", **TRAINING)


class Barred(Blocks):
    """Can be entered where the seed is even."""

    def enter(self, location):
        if location.seed % 2:
            raise LocationError("somebody stands there")
        return super().enter(location)


def test_locations_that_cannot_be_entered_are_dropped_and_counted(tmp_path):
    made = method(rounds=1, force_rounds=0, updates=(1, 1))
    run = hs.pretrain(made, Barred(blocks().blocks), out=tmp_path / "run", **TRAINING)
    facts = Recording(run / EXPERIENCE).facts
    assert (facts["room_seed"] % 2 == 0).all()
    assert facts["dropped_n"].sum() > 0


class Deadly(Blocks):
    """Kills its process the first time that a location is entered after `flag` was made ready."""

    flag: Path

    def enter(self, location):
        if self.flag.exists() and location.seed % 3 == 0:
            self.flag.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().enter(location)


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(whole, tmp_path):
    place = Deadly(blocks().blocks)
    place.flag = tmp_path / "armed"
    place.flag.touch()
    run = hs.pretrain(method(), place, out=tmp_path / "run", **TRAINING)
    assert not place.flag.exists(), "no worker was killed"
    assert told(run) == told(whole)
    one, other = (Recording(folder / EXPERIENCE) for folder in (whole, run))
    np.testing.assert_array_equal(one.stream(MASK), other.stream(MASK))


def test_where_nothing_is_in_reach_it_is_learned_that_nothing_is_there(tmp_path):
    bare = Blocks((Block(6, 66, 5, (200, 30, 30), size=20, distance_m=2.5),))
    made = method(rounds=20, force_rounds=0, prefill=8, locations=1, attempts=16, updates=(4, 4))
    run = hs.pretrain(made, bare, out=tmp_path / "run", **{**TRAINING, "learning_rate": 0.01, "workers": 0})
    recording = Recording(run / EXPERIENCE)
    assert not recording.stream(MASK).any()
    assert recording.facts["chosen_hits"].sum() == recording.facts["random_hits"].sum() == 0
    first, last = told(run)[0], told(run)[-1]
    assert all(line["embedding"] == 0 for line in told(run))
    assert last["score"] < first["score"] / 2
    sight = bare.enter(None)
    scores = (
        hs.load_segmenter(run)
        .tell(torch.from_numpy(sight.image)[None], torch.from_numpy(sight.depth_m)[None])
        .scores
    )
    assert scores.sigmoid().max() < 0.5


def test_acting_in_the_trainings_own_process_gives_the_same_run(whole, tmp_path):
    run = hs.pretrain(method(), blocks(), out=tmp_path / "run", **TRAINING, workers=0)
    assert told(run) == told(whole)


def test_two_processes_share_one_memory_and_give_the_losses_of_one(tmp_path):
    from acting_in_processes import train

    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    script = Path(__file__).with_name("acting_in_processes.py")
    path = os.pathsep.join([str(script.parent), *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [*torchrun, str(script), str(tmp_path / "two")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = told(train(tmp_path / "one")), told(tmp_path / "two")
    for alone, together in zip(one, two, strict=True):
        assert together == pytest.approx(alone, rel=1e-4, abs=1e-5), alone["step"]
    first, second = (Recording(tmp_path / name / EXPERIENCE) for name in ("one", "two"))
    assert first.num_episodes == second.num_episodes == method().plan.locations
