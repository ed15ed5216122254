"""What every loss and head keeps to: each has a line in `objectives_table.py` and goes through all this."""

import copy
import inspect
import io
import pickle
import random
import warnings

import numpy as np
import pytest
import torch
from conformance_checks import global_randomness, one_line
from objectives_in_processes import BATCH, PROCESSES, draw, floats, one_process, scaled
from objectives_table import HEADS, LOSSES
from torch import multiprocessing, nn

from handsight import objectives
from handsight.errors import HandsightError

EVERY_LOSS = pytest.mark.parametrize("name", LOSSES)
EVERY_HEAD = pytest.mark.parametrize("name", HEADS)


def _permuted(tensors):
    order = torch.randperm(BATCH, generator=torch.Generator().manual_seed(1))
    return {name: tensor[order] for name, tensor in tensors.items()}


def _stretched(tensors):
    length = torch.logspace(-2, 2, BATCH)
    return tensors | {
        name: t * length.view(-1, *[1] * (t.ndim - 1)).to(t.dtype) for name, t in floats(tensors).items()
    }


def _shifted(tensors):
    by = torch.linspace(-3, 3, BATCH)
    return tensors | {
        name: t + by.view(-1, *[1] * (t.ndim - 1)).to(t.dtype) for name, t in floats(tensors).items()
    }


def _offset(tensors):
    return tensors | {
        name: t + torch.arange(t[0].numel()).view_as(t[0]) for name, t in floats(tensors).items()
    }


def _swapped(tensors):
    (one, other), names = list(tensors.values())[:2], list(tensors)
    return tensors | {names[0]: other, names[1]: one}


INVARIANCES = {
    "order": _permuted,
    "length": _stretched,
    "shift": _shifted,
    "offset": _offset,
    "swap": _swapped,
}
"""What a loss may declare that leaves it as it is.

The samples' order; the length of each float row; a number added to each float row; a row added to all of
them; an exchange of the first two arguments.
"""


def test_every_loss_and_head_has_a_line_in_the_table():
    public = [thing for name, thing in vars(objectives).items() if not name.startswith("_")]
    losses = {
        f for f in public if inspect.isfunction(f) and inspect.signature(f).return_annotation == "Tensor"
    }
    heads = {cls for cls in public if inspect.isclass(cls) and issubclass(cls, nn.Module)}
    assert losses <= {case.loss for case in LOSSES.values()}, "add it to objectives_table.LOSSES"
    assert heads <= {type(case.make()) for case in HEADS.values()}, "add it to objectives_table.HEADS"


@EVERY_LOSS
def test_a_loss_is_a_scalar_in_full_precision_whatever_comes(name):
    case = LOSSES[name]
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        inputs = draw(case, dtype=dtype)
        wanted = torch.promote_types(dtype, torch.float32)
        loss = case.loss(**inputs)
        assert (loss.shape, loss.dtype) == ((), wanted)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(case.loss(**inputs), loss)
        exact = case.loss(**{k: v.to(wanted) if v.is_floating_point() else v for k, v in inputs.items()})
        torch.testing.assert_close(loss, exact, rtol=1e-6, atol=1e-6)


@EVERY_LOSS
def test_gradients_are_right_and_reach_all_but_the_targets_that_are_declared(name):
    case = LOSSES[name]
    inputs = draw(case, dtype=torch.float64, grad=True)
    for target in case.stops:
        inputs[target] = inputs[target].detach()
    learned = [key for key in floats(inputs) if key not in case.stops]

    def loss(*given):
        return case.loss(**{**inputs, **dict(zip(learned, given, strict=True))})

    assert torch.autograd.gradcheck(loss, [inputs[key] for key in learned])
    inputs = draw(case, grad=True)
    case.loss(**inputs).backward()
    for key, tensor in floats(inputs).items():
        reached = tensor.grad is not None and bool(tensor.grad.abs().sum() > 0)
        assert reached == (key not in case.stops), key


@EVERY_LOSS
def test_a_loss_changes_nothing_and_says_the_same_again(name):
    case = LOSSES[name]
    inputs, before = draw(case, grad=True), global_randomness()
    kept, versions = draw(case), {key: tensor._version for key, tensor in inputs.items()}
    loss = case.loss(**inputs)
    loss.backward()
    with torch.no_grad():
        assert torch.equal(case.loss(**inputs), loss)
    for key, tensor in inputs.items():
        assert torch.equal(tensor, kept[key]), key
        assert tensor._version == versions[key], key
    assert global_randomness() == before


@EVERY_LOSS
def test_a_loss_is_left_as_it_is_by_what_it_declares(name):
    case = LOSSES[name]
    inputs = draw(case, dtype=torch.float64)
    for what in case.unchanged_by:
        changed = INVARIANCES[what](inputs)
        torch.testing.assert_close(case.loss(**changed), case.loss(**inputs), msg=what)


@EVERY_LOSS
def test_memory_layout_does_not_matter(name):
    case = LOSSES[name]
    inputs = draw(case)
    strided = {key: torch.stack([tensor, tensor.clone()], dim=-1)[..., 1] for key, tensor in inputs.items()}
    assert not any(tensor.is_contiguous() for tensor in strided.values())
    torch.testing.assert_close(case.loss(**strided), case.loss(**inputs))


@EVERY_LOSS
def test_too_few_samples_are_refused_and_the_fewest_are_enough(name):
    case = LOSSES[name]
    for batch in range(case.fewest):
        with pytest.raises(HandsightError, match=r"at least \w+") as caught:
            case.loss(**draw(case, batch))
        one_line(caught.value)
    inputs = draw(case, case.fewest, grad=True)
    loss = case.loss(**inputs)
    loss.backward()
    assert loss.isfinite()
    assert all(tensor.grad is None or tensor.grad.isfinite().all() for tensor in inputs.values())


@EVERY_LOSS
def test_rows_that_do_not_belong_together_are_refused(name):
    case = LOSSES[name]
    inputs = draw(case)
    if len(inputs) > 1:
        first = next(iter(inputs))
        with pytest.raises(HandsightError) as caught:
            case.loss(**inputs | {first: inputs[first][:-1]})
        one_line(caught.value)


DEGENERATE = {
    "zeros": lambda tensor, largest: tensor * 0,
    "all equal": lambda tensor, largest: tensor[:1].expand_as(tensor).clone(),
    "one number": lambda tensor, largest: torch.ones_like(tensor),
    "huge": lambda tensor, largest: tensor * largest,
    "tiny": lambda tensor, largest: tensor * 1e-30,
    "one row huge": lambda tensor, largest: torch.cat([tensor[:1] * largest, tensor[1:]]),
}


@EVERY_LOSS
@pytest.mark.parametrize("kind", DEGENERATE)
def test_degenerate_samples_give_finite_losses_and_gradients(name, kind):
    case = LOSSES[name]
    inputs = draw(case)
    inputs |= {
        key: DEGENERATE[kind](tensor, case.largest).requires_grad_() for key, tensor in floats(inputs).items()
    }
    loss = case.loss(**inputs)
    loss.backward()
    assert loss.isfinite()
    for key, tensor in floats(inputs).items():
        assert tensor.grad is None or tensor.grad.isfinite().all(), key


@EVERY_LOSS
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_cpus_loss_and_gradients(name):
    case = LOSSES[name]
    here, there = draw(case, grad=True), {}
    for key, tensor in draw(case).items():
        there[key] = tensor.cuda().requires_grad_(tensor.is_floating_point())
    losses = [case.loss(**inputs) for inputs in (here, there)]
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(losses[1].cpu(), losses[0])
    for key, tensor in floats(here).items():
        if key not in case.stops:
            torch.testing.assert_close(there[key].grad.cpu(), tensor.grad)


@pytest.fixture(scope="module")
def from_processes(tmp_path_factory):
    """Loss → (loss, gradients) of each of two processes that share a batch."""
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(one_process, args=(folder / "meeting", folder), nprocs=PROCESSES)
    return [torch.load(folder / f"{rank}.pt") for rank in range(PROCESSES)]


@EVERY_LOSS
def test_the_mean_over_processes_is_the_whole_batchs_loss_and_gradient(name, from_processes):
    losses, gradients = zip(*(found[name] for found in from_processes), strict=True)
    whole, wanted = scaled(LOSSES[name], slice(None))
    torch.testing.assert_close(torch.stack(losses).mean(), whole)
    for key, gradient in wanted.items():
        torch.testing.assert_close(torch.stack([each[key] for each in gradients]).mean(0), gradient, msg=key)


def shaped(case, count):
    """Return the shape of what a head gives for a number of samples."""
    return (count, *(case.out if isinstance(case.out, tuple) else (case.out,)))


def build(name, seed=0):
    torch.manual_seed(seed)
    return HEADS[name].make()


@EVERY_HEAD
def test_a_head_is_a_function_of_its_seed(name):
    before = random.getstate(), np.random.get_state()[2]  # noqa: NPY002 - to see that nobody uses it
    first, second = build(name), build(name)
    assert (random.getstate(), np.random.get_state()[2]) == before  # noqa: NPY002
    for (key, one), other in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other), key


@EVERY_HEAD
def test_a_head_gives_a_row_for_each_sample_and_changes_nothing(name):
    case, head = HEADS[name], build(name)
    inputs = draw(case)
    for training in (True, False):
        out = head.train(training)(*inputs.values())
        assert out.shape == shaped(case, BATCH)
        assert out.dtype == torch.float32
        assert out.isfinite().all()
    for key, tensor in draw(case).items():
        assert torch.equal(inputs[key], tensor), key
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert head(*inputs.values()).isfinite().all()


@EVERY_HEAD
def test_in_evaluation_a_sample_does_not_see_the_others(name):
    case, head = HEADS[name], build(name)
    inputs = draw(case)
    head(*inputs.values())
    head.eval()
    whole = head(*inputs.values())
    assert torch.equal(head(*inputs.values()), whole)
    for row in range(BATCH):
        alone = head(*(tensor[row : row + 1] for tensor in inputs.values()))
        torch.testing.assert_close(alone[0], whole[row])
    assert head(*(tensor[:0] for tensor in inputs.values())).shape == shaped(case, 0)


@EVERY_HEAD
def test_gradients_reach_every_weight_and_every_input_of_a_head(name):
    case, head = HEADS[name], build(name)
    inputs = draw(case, grad=True)
    out = head(*inputs.values())
    (out * torch.arange(out.numel()).view_as(out).sin()).sum().backward()
    for key, tensor in [*head.named_parameters(), *inputs.items()]:
        assert tensor.grad is not None, key
        assert tensor.grad.isfinite().all(), key
    assert all(tensor.grad.abs().sum() > 0 for tensor in inputs.values())


@EVERY_HEAD
def test_a_heads_state_is_plain_and_makes_another_the_same(name):
    case, head, other = HEADS[name], build(name), build(name, seed=9)
    inputs = draw(case)
    head(*inputs.values())
    file = io.BytesIO()
    torch.save(head.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    wanted = head.eval()(*inputs.values())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for same in (other, copy.deepcopy(head), pickle.loads(pickle.dumps(head))):
            assert torch.equal(same.eval()(*inputs.values()), wanted)
