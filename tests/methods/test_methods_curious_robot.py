"""The Curious Robot: one root under four heads, against gradients and steps put together by hand."""

import copy

import numpy as np
import pytest
import torch

from handsight.errors import HandsightError
from handsight.methods import CuriousRobot
from handsight.objectives import grasp_loss, identity_loss, mean_squared_error
from handsight.objectives.grasp import angle_bins
from handsight.recordings import Clips, Feature, Recording, Sampler, Writer, camera
from handsight.training import Training, estimate, prepare, pretrain
from handsight.training.batches import Batches
from handsight.training.run import read_log
from interactions import write_interactions

THIN = {"encoder": "alexnet-lrn", "image_size": 24, "encoder_options": {"width": 0.05}, "grasp_steps": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_interactions(tmp_path_factory.mktemp("recordings") / "interactions")


@pytest.fixture
def recording(folder):
    return Recording(folder)


def drawn(recording, step=0, **options):
    """Return a prepared method and the batches of a step."""
    torch.manual_seed(0)
    method = CuriousRobot(**{**THIN, **options})
    sampler = Sampler(Clips([recording], size=24), method.needs, 8, seed=0)
    method.prepare(sampler)
    batches = Batches(sampler, method, 0, torch.device("cpu"))
    found = batches.get(step, 0, 1, None)
    batches.close()
    return method, found


def plain_losses(method, batches):
    """Return the four losses, written out, with whole gradients."""
    taps, heads, encoder = method.taps, method.heads, method.encoder
    views = {task: batch["views"] for task, batch in batches.items()}
    grasp, poke = batches["grasp"], batches["poke"]
    held = torch.tensor([method._held == code for code in grasp["success"]]).long()
    yield grasp_loss(
        heads["grasp"](encoder.forward_features(views["grasp"][:, 0])[taps["grasp"]]),
        angle_bins(grasp["grasp.angle_rad"][:, 0]),
        held,
    )
    before, after = (encoder.forward_features(views["push"][:, frame])[taps["push"]] for frame in (0, 1))
    names = ("push.start", "push.end", "push.height_m")
    push = torch.cat([batches["push"][name] for name in names], dim=1)
    yield mean_squared_error(heads["push"](before, after), method.targets["push"](push))
    told = heads["poke"](encoder.forward_features(views["poke"][:, 0])[taps["poke"]])
    yield mean_squared_error(told, method.targets["poke"](poke["poke.line"]))
    first, second = (encoder(views["identity"][:, frame]) for frame in (0, 1))
    yield identity_loss(first, second, batches["identity"]["same"], method.margin)


def test_each_head_stands_and_is_as_in_the_paper(recording):
    method = CuriousRobot(image_size=227)
    assert method.taps == {"grasp": "conv4", "push": "conv3", "poke": "fc6", "identity": "pooled"}
    shapes = {task: method.encoder.tap_shape(tap) for task, tap in method.taps.items()}
    assert shapes == {
        "grasp": (384, 13, 13),
        "push": (384, 13, 13),
        "poke": (4096, 1, 1),
        "identity": (4096,),
    }
    method.prepare(Sampler(Clips([recording], size=24), method.needs, 8, seed=0))
    sizes = {name: tuple(value.shape) for name, value in method.heads.named_parameters() if value.ndim > 1}
    assert [shape for name, shape in sizes.items() if name.startswith("grasp.")] == [
        *((256, 384, 3, 3), (4096, 256 * 6 * 6), (1024, 4096), (36, 1024))
    ]
    assert [shape for name, shape in sizes.items() if name.startswith("push.")] == [
        *((48, 384, 3, 3), (1024, 96 * 13 * 13), (5, 1024))
    ]
    assert [shape for name, shape in sizes.items() if name.startswith("poke.")] == [(512, 4096), (2, 512)]
    assert method.stages[0].needs == ("grasp",)
    assert method.stages[1].begins == 20_000


@pytest.mark.parametrize(
    ("encoder", "options", "taps"),
    [
        ("resnet18", {"channels": [4, 4, 8, 8], "stem_width": 4}, ("layer2", "layer2", "layer4")),
        (
            "vit_tiny_patch16_224",
            {"depth": 7, "embed_dim": 24, "num_heads": 2},
            ("blocks.3", "blocks.2", "blocks.5"),
        ),
    ],
)
def test_on_another_network_heads_stand_about_as_deep(encoder, options, taps):
    method = CuriousRobot(encoder, 32, options)
    assert (method.taps["grasp"], method.taps["push"], method.taps["poke"]) == taps
    assert method.taps["identity"] == "pooled"


def test_losses_are_those_written_out(recording):
    method, batches = drawn(recording)
    yielded = [loss for group in method.losses(batches) for loss in group.values()]
    torch.testing.assert_close(torch.stack(yielded), torch.stack(list(plain_losses(method, batches))))


def test_the_root_gets_the_mean_of_the_tasks_gradients_and_heads_their_own(recording):
    method, batches = drawn(recording)
    for group in method.losses(batches):
        sum(group.values()).backward()
    gradients = {name: value.grad.clone() for name, value in method.named_parameters()}
    reached = {}
    wanted = {name: torch.zeros_like(value) for name, value in method.named_parameters()}
    for task, loss in zip(method.tasks, plain_losses(method, batches), strict=True):
        method.zero_grad(set_to_none=True)
        loss.backward()
        for name, value in method.named_parameters():
            if value.grad is not None:
                root = name.startswith("encoder.")
                wanted[name] += value.grad / 4 if root else value.grad
                if root:
                    reached.setdefault(name.split(".")[2], set()).add(task)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, wanted[name], msg=lambda text, name=name: f"{name}: {text}")
    # Divided by four also where fewer tasks reach.
    assert reached["conv3"] == set(method.tasks)
    assert reached["conv4"] == {"grasp", "poke", "identity"}
    assert reached["fc6"] == {"poke", "identity"}
    assert reached["fc7"] == {"identity"}


def test_one_step_after_the_cycle_is_stepping_the_heads_at_once(recording):
    together, batches = drawn(recording)
    at_once = copy.deepcopy(together)
    optimiser = torch.optim.RMSprop(together.parameters(), 1e-2)
    root = torch.optim.RMSprop(at_once.encoder.parameters(), 1e-2)
    heads = {task: torch.optim.RMSprop(head.parameters(), 1e-2) for task, head in at_once.heads.items()}
    for _ in range(3):
        for group in together.losses(batches):
            sum(group.values()).backward()
        optimiser.step()
        optimiser.zero_grad()
        for group in at_once.losses(batches):
            ((task, loss),) = group.items()
            loss.backward()
            if task in heads:
                heads[task].step()
                heads[task].zero_grad()
        root.step()
        root.zero_grad()
    for (name, one), (_, other) in zip(together.named_parameters(), at_once.named_parameters(), strict=True):
        assert torch.equal(one, other), name


def test_only_the_attempted_angles_scores_get_gradient(recording):
    method, batches = drawn(recording, tasks=("grasp",))
    last = method.heads["grasp"][-1]
    next(method.losses(batches))["grasp"].backward()
    tried = angle_bins(batches["grasp"]["grasp.angle_rad"][:, 0]).unique()
    rows = last.bias.grad.view(18, 2).abs().sum(dim=1)
    assert set(rows.nonzero()[:, 0].tolist()) == set(tried.tolist())


def test_first_grasps_alone_then_all_and_a_stopped_run_goes_on_alike(recording, tmp_path, monkeypatch):
    settings = {"batch_size": 8, "log_every": 1, "checkpoint_every": 1, "precision": "32-true"}

    def train(out, steps=4):
        torch.manual_seed(0)
        method = CuriousRobot(**{**THIN, "grasp_steps": 2})
        begun = copy.deepcopy(method.encoder.trunk.state_dict())
        pretrain(method, recording, out=out, steps=steps, **settings)
        return method, begun

    method, begun = train(tmp_path / "whole")
    log = [entry for entry in read_log(tmp_path / "whole") if "grasp" in entry]
    assert ["push" in entry for entry in log] == [False, False, True, True]
    first, early = train(tmp_path / "first", steps=2)
    for name, value in first.encoder.trunk.state_dict().items():
        assert torch.equal(value, early[name]) == (name.split(".")[0] in ("conv5", "fc6", "fc7")), name
    assert not torch.equal(method.encoder.trunk.fc7.weight, begun["fc7.weight"])

    class Stopped(Exception):
        pass

    def stop(done, *_):
        if done == 3:
            raise Stopped

    torch.manual_seed(0)
    with pytest.raises(Stopped):
        pretrain(
            CuriousRobot(**{**THIN, "grasp_steps": 2}),
            *(recording,),
            **{"out": tmp_path / "stopped", "steps": 4, "progress": stop, **settings},
        )
    resumed, _ = train(tmp_path / "stopped")
    for name, value in method.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_what_a_run_will_take_counts_both_stages(recording):
    training = Training(steps=4, batch_size=8)
    both = estimate(CuriousRobot(**{**THIN, "grasp_steps": 2}), [recording], training, timed_steps=1)
    assert both.steps == 4
    assert both.total_s >= both.step_s * 4 > 0


def test_a_grasp_alone_is_one_stage():
    method = CuriousRobot(**{**THIN, "grasp_steps": 5}, tasks=("grasp",))
    assert [stage.needs for stage in method.stages] == [("grasp",)]


def test_what_is_told_is_in_the_streams_own_units(recording):
    method, batches = drawn(recording)
    seen = {task: batch["views"] for task, batch in batches.items()}
    assert method.tell_grasp(seen["grasp"][:, 0]).shape == (8, 18)
    with torch.no_grad():
        for head in (method.heads["push"].told[-1], method.heads["poke"][-1]):
            head.weight.zero_()  # told is the mean
    push = method.tell_push(seen["push"][:, 0], seen["push"][:, 1])
    poke = method.tell_poke(seen["poke"][:, 0])
    lines = recording.stream("poke.line")[recording.episode_starts[:-1]]
    mine = (recording.facts["interaction"] == "poke") & (recording.splits() == "train")
    torch.testing.assert_close(poke[0], torch.from_numpy(lines[mine].mean(axis=0)), rtol=0.05, atol=0.01)
    assert 0.2 < push[0, 0] < 0.8
    assert 0.01 < push[0, 4] < 0.02


def test_a_recording_without_pokes_is_refused_and_trains_what_it_can_when_told(tmp_path):
    recording = Recording(write_interactions(tmp_path / "few", kinds=("grasp", "push", "identity")))
    training = Training(steps=1, batch_size=8)
    lacks = (
        r"few has no stream 'poke.line', which curious-robot needs .*"
        r"Train without poke: --tasks '\[grasp, push, identity\]'"
    )
    with pytest.raises(HandsightError, match=lacks):
        prepare(CuriousRobot(**THIN), recording, training)
    told = CuriousRobot(**THIN, tasks=("grasp", "push", "identity"))
    assert prepare(told, recording, training).steps == 1


def test_a_recording_whose_episodes_are_other_interactions_is_refused(recording):
    one = CuriousRobot(**THIN, tasks=("poke",), interaction="category")
    with pytest.raises(HandsightError, match=r"no episode whose category is poke, .* \(it has: bar\)"):
        prepare(one, recording, Training(steps=1, batch_size=8))


def test_a_camera_that_is_not_there_is_refused(recording):
    with pytest.raises(HandsightError, match=r"no camera 'wrist' in use.* null for any"):
        prepare(CuriousRobot(**THIN, patch_camera="wrist"), recording, Training(steps=1, batch_size=8))


def test_grasps_that_all_failed_teach_nothing(recording):
    method = CuriousRobot(**THIN)
    sampler = Sampler(Clips([recording], size=24), method.needs, 8, seed=0)
    sampler.vocabulary["success"] = ["False"]
    with pytest.raises(HandsightError, match="the fact 'success' is False in split 'train'; it takes"):
        method.prepare(sampler)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": ()}, "was given the tasks nothing; name some of grasp, push, poke, identity"),
        ({"tasks": ("lift",)}, "was given the tasks lift and taps for lift"),
        ({"taps": {"lift": "conv1"}}, "and taps for lift"),
        ({"taps": {"grasp": "conv9"}}, "alexnet-lrn has no tap 'conv9'; it has conv1"),
        ({"grasp_steps": -1}, "grasp_steps is -1; give 0 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, message):
    with pytest.raises(HandsightError, match=message):
        CuriousRobot(**{**THIN, **options})


@pytest.mark.filterwarnings("ignore:.*are enlarged")
def test_grasped_patches_of_others_train_the_grasp(tmp_path):
    features = {
        "observation.images.camera": camera(24, 24),
        "action": Feature("float32", (1,), ("grasp",), moves="angle", between="first", unit="rad"),
    }
    generator = np.random.default_rng(0)
    with Writer(tmp_path / "patches", features, fps=1, facts={"success": "bool"}) as writer:
        for number in range(40):
            patch = generator.integers(0, 255, (1, 24, 24, 3), dtype=np.uint8)
            frames = {"observation.images.camera": patch, "action": generator.uniform(0, 3, (1, 1))}
            writer.add_episode(frames, {"success": number % 3 == 0})
    method = CuriousRobot(
        **{**THIN, "tasks": ("grasp",), "grasp_stream": "action", "patch_camera": None, "interaction": None}
    )
    pretrain(
        method, Recording(tmp_path / "patches"), out=tmp_path / "run", steps=2, batch_size=8, split="all"
    )
    assert method.tell_grasp(torch.rand(2, 3, 24, 24)).shape == (2, 18)
