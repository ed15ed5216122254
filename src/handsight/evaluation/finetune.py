"""Fine-tuning: an encoder and a linear classifier are trained end to end on labelled pictures.

The protocol of The Curious Robot's table 1 (ECCV 2016, section 4.2), which says no settings. Every encoder
gets the same sweep of learning rates and epochs; the best on validation pictures is evaluated once on test
pictures. One run per learning rate is looked at after each number of epochs, so the rate is constant.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from handsight.augmentation import Augmentation
from handsight.encoders import Encoder
from handsight.encoders.batches import evaluating
from handsight.errors import HandsightError
from handsight.evaluation.features import Ints, LabelledFrames, Progress, embed_frames

LEARNING_RATES = (1e-3, 3e-4, 1e-4, 3e-5)
"""The sweep of AdamW's learning rates, for all encoders."""

EPOCHS = (5, 10, 20, 40)
"""The sweep of passes over the training pictures, for all encoders."""

BATCH_SIZE = 64
WEIGHT_DECAY = 1e-2

Choice = tuple[float, int]
"""A learning rate and a number of epochs."""


@dataclass(frozen=True)
class FinetuneResult:
    """Test correctness at the learning rate and the epochs that validation chose.

    Args:
        correct: bool `[N]`, per test picture.
        learning_rate: the chosen one.
        epochs: the chosen number.
        validation: accuracy on validation at every (learning rate, epochs) of the sweep; without those at
            which the loss was no longer finite. Empty where there was nothing to choose.
    """

    correct: NDArray[np.bool_]
    learning_rate: float
    epochs: int
    validation: dict[Choice, float]


def labelled_pictures(
    images: NDArray[np.uint8], category: Ints, instance: Ints | None = None
) -> LabelledFrames:
    """Return pictures of an array as frames that can be read.

    Args:
        images: uint8 `[N, 3, H, W]` or `[N, H, W, 3]`, the first where both readings are possible; may be
            memory-mapped.
        category: int64 `[N]`.
        instance: int64 `[N]`, the object of each; each picture shows one of its own where None.

    Raises:
        HandsightError: for what are no such pictures, or labels that are not one integer each.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or 3 not in (images.shape[1], images.shape[3]):
        raise HandsightError(
            f"labelled pictures are {images.dtype} {list(images.shape)}; give uint8 [N, 3, H, W] or "
            "[N, H, W, 3]"
        )
    labels = np.asarray(category)
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise HandsightError(
            f"{len(images)} pictures came with labels {labels.dtype} {list(labels.shape)}; give one integer "
            "for each"
        )
    pictures = images.transpose(0, 2, 3, 1) if images.shape[1] == 3 else images
    rows = np.arange(len(images))
    owner = rows if instance is None else np.asarray(instance, dtype=np.int64)
    return LabelledFrames(
        lambda chosen: pictures[chosen], rows, labels.astype(np.int64), owner, owner, np.zeros_like(rows)
    )


def finetune_accuracy(
    encoder: Encoder,
    train: LabelledFrames,
    validation: LabelledFrames | None,
    test: LabelledFrames,
    generator: torch.Generator,
    *,
    learning_rates: Sequence[float] = LEARNING_RATES,
    epochs: Sequence[int] = EPOCHS,
    augmentation: Augmentation | None = None,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> FinetuneResult:
    """Run the protocol on a copy of an encoder; of choices equal on validation, fewest epochs are taken.

    The classifier begins at zero and sees the pooled embedding less its mean over the training pictures,
    divided by one number, the deviation before fine-tuning, so that embeddings of any size are learned from
    alike. All parameters are trained by AdamW, in the parameters' own precision, on the encoder's device; the
    test is scored by the weights that were best on validation. Each learning rate sees the same pictures in
    the same order, augmented alike.

    Args:
        encoder: is left as it was.
        train: pictures with their categories.
        validation: pictures of other objects; None where there is only one choice.
        test: pictures of still others.
        generator: on the CPU; draws the order of the pictures and their augmentation. On the CPU the result
            is a function of its state.
        learning_rates: the sweep, above 0.
        epochs: the sweep of passes over the training pictures, from 1.
        augmentation: of training pictures; its size becomes the encoder's. None shows them as they are.
        batch_size: pictures per step, or a few more, as every step has about as many; at least 2.
        progress: told after each epoch how many of all are done.

    Raises:
        HandsightError: for a sweep or a batch size that cannot be, no pictures, fewer than two categories, a
            category that was never trained on, several choices without validation, or where the loss was
            finite at none of them.
    """
    rates, marks = sorted(set(learning_rates)), sorted(set(epochs))
    _check_settings(rates, marks, batch_size, validation)
    categories, label = _check_pictures(train, validation, test)
    untouched = _Network(encoder, train, len(categories), batch_size)
    if augmentation is not None:
        augmentation = replace(augmentation, size=encoder.image_size)
    seed = int(torch.randint(2**62, (), generator=generator))
    found: dict[Choice, float] = {}
    best: tuple[float, float, float] | None = None
    chosen: tuple[Choice, dict[str, Tensor]] | None = None
    for number, rate in enumerate(rates):
        network = copy.deepcopy(untouched)
        run = _epochs(network, train, label, rate, marks[-1], seed, augmentation, batch_size)
        for done, loss in run:
            if not math.isfinite(loss):
                break
            if progress is not None:
                progress(number * marks[-1] + done, len(rates) * marks[-1])
            if done not in marks:
                continue
            accuracy = 0.0
            if validation is not None and len(validation):
                accuracy = float(_correct(network, validation, categories, batch_size).mean())
                found[rate, done] = accuracy
            rank = (accuracy, -done, -rate)
            if best is None or rank > best:
                state = {name: value.clone() for name, value in network.state_dict().items()}
                best, chosen = rank, ((rate, done), state)
    if chosen is None:
        raise HandsightError(
            f"the loss of fine-tuning was not finite at any learning rate of {', '.join(map(str, rates))}; "
            "give lower ones, or mend the encoder"
        )
    (rate, done), state = chosen
    untouched.load_state_dict(state)
    return FinetuneResult(_correct(untouched, test, categories, batch_size), rate, done, found)


class _Network(nn.Module):
    """A copy of an encoder with a linear classifier upon its embedding: images → scores `[B, categories]`."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, encoder: Encoder, train: LabelledFrames, categories: int, batch_size: int) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).requires_grad_(True)
        parameter = next(encoder.parameters())
        device = parameter.device
        embeddings = embed_frames(encoder, train.read, train.index, batch_size=batch_size, device=device)
        if not np.isfinite(embeddings).all():
            raise HandsightError(
                "embeddings of the training pictures hold NaN or infinity before fine-tuning; expected "
                "finite numbers: the encoder diverged, take an earlier checkpoint"
            )
        mean = embeddings.mean(axis=0, dtype=np.float64)
        deviation = float(np.sqrt(np.square(embeddings - mean).mean()))
        if deviation <= 1e-6 * float(np.abs(embeddings).max()):  # rounding: the encoder says one thing of all
            deviation = 1.0
        self.register_buffer("mean", torch.from_numpy(mean).to(parameter))
        self.register_buffer("deviation", torch.tensor(deviation).to(parameter))
        with torch.random.fork_rng(devices=[]):  # the weights drawn here are replaced: leave no trace
            self.classifier = nn.Linear(encoder.embedding_size, categories).to(parameter)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.classifier((self.encoder(images) - self.mean) / self.deviation)
        return scores


def _epochs(
    network: _Network,
    train: LabelledFrames,
    label: Tensor,
    rate: float,
    epochs: int,
    seed: int,
    augmentation: Augmentation | None,
    batch_size: int,
) -> Iterator[tuple[int, float]]:
    """Train; after each epoch, yield how many are done and the mean loss."""
    device = network.mean.device
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
    for done in range(1, epochs + 1):
        network.train()
        total = torch.zeros((), device=device)
        # Equal parts, so that no step is left with one picture, which batch norm refuses.
        parts = torch.randperm(len(train), generator=generator).tensor_split(max(1, len(train) // batch_size))
        # Dropout draws from torch's own generators: they are put to a state of this epoch, and back.
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
            for rows in parts:
                images = _read(train, rows.numpy()).to(device)
                if augmentation is not None:
                    drawn = augmentation.draw(generator, len(images), *images.shape[2:])
                    images = augmentation(images, drawn)
                loss = functional.cross_entropy(network(images).float(), label[rows].to(device))
                optimiser.zero_grad()
                torch.autograd.backward(loss)
                optimiser.step()
                total += loss.detach()
        yield done, float(total) / len(parts)


def _correct(
    network: _Network, frames: LabelledFrames, categories: Ints, batch_size: int
) -> NDArray[np.bool_]:
    """Say of each picture whether its category has the highest score."""
    guessed = []
    with evaluating(network):
        for start in range(0, len(frames), batch_size):
            images = _read(frames, np.arange(start, min(start + batch_size, len(frames))))
            guessed.append(network(images.to(network.mean.device)).argmax(dim=1).cpu())
    correct: NDArray[np.bool_] = categories[torch.cat(guessed).numpy()] == frames.category
    return correct


def _read(frames: LabelledFrames, rows: Ints) -> Tensor:
    """Return the pictures at some rows, uint8 `[n, 3, h, w]`."""
    return torch.from_numpy(np.ascontiguousarray(frames.read(frames.index[rows]))).permute(0, 3, 1, 2)


def _check_settings(
    rates: Sequence[float], marks: Sequence[int], batch_size: int, validation: LabelledFrames | None
) -> None:
    if not rates or not all(0 < rate < math.inf for rate in rates):
        raise HandsightError(f"fine-tuning got learning rates {list(rates)}; expected one or more above 0")
    if not marks or marks[0] < 1:
        raise HandsightError(f"fine-tuning got epochs {list(marks)}; expected one or more numbers from 1")
    if batch_size < 2:
        raise HandsightError(f"fine-tuning got a batch size of {batch_size}; expected at least 2 pictures")
    choices = len(rates) * len(marks)
    if choices > 1 and not (validation is not None and len(validation)):
        raise HandsightError(
            f"fine-tuning got {choices} choices and no validation pictures to choose by; give some, or one "
            "learning rate and one number of epochs"
        )


def _check_pictures(
    train: LabelledFrames, validation: LabelledFrames | None, test: LabelledFrames
) -> tuple[Ints, Tensor]:
    """Return the categories `[C]` and each training picture's place among them, int64 `[N]`."""
    categories, label = np.unique(train.category, return_inverse=True)
    if len(categories) < 2:
        raise HandsightError(
            f"fine-tuning got training pictures of {len(categories)} category; expected at least 2"
        )
    for name, frames in (("validation", validation), ("test", test)):
        novel = np.setdiff1d([] if frames is None else frames.category, categories)
        if len(novel):
            raise HandsightError(
                f"{name} category {novel[0]} has no training picture ({len(novel)} such); expected every "
                "category in training"
            )
    if not len(test):
        raise HandsightError("fine-tuning got no test pictures; expected at least one")
    return categories, torch.from_numpy(label)
