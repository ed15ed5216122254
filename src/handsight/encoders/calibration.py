"""Random encoders that are fair controls: their batch-norm statistics are those of the training frames."""

from __future__ import annotations

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from handsight.encoders.batches import Images, batches, evaluating
from handsight.encoders.encoder import Encoder
from handsight.encoders.folder import CONFIGURATION
from handsight.errors import HandsightError


def random_encoder_calibrated(
    encoder: Encoder, images: Images, *, seed: int = 0, batch_size: int = 256
) -> Encoder:
    """Return an encoder of the same make with random weights, calibrated on images.

    A network that was never trained still passes on much of its input; what training added is what an encoder
    does better than this one. With batch-norm statistics left at 0 and 1 it would be handicapped, and the
    comparison flattering.

    Args:
        encoder: whose name, options and preprocessing are taken; it is not changed.
        images: training frames, at least two.
        seed: of the weights; the global generators are left as they were.
        batch_size: see `calibrate_batch_norm`.

    Returns:
        The random encoder in evaluation mode, on the device of `encoder`.
    """
    known = encoder.metadata
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        random = Encoder(**{key: known[key] for key in CONFIGURATION})
    random.recipe = {"method": "random weights", "seed": seed}
    calibrate_batch_norm(random.to(encoder.preprocessing.mean.device), images, batch_size=batch_size)
    return random.eval()


def calibrate_batch_norm(encoder: Encoder, images: Images, *, batch_size: int = 256) -> None:
    """Set the batch-norm statistics of an encoder to those of images; nothing else of it changes.

    The statistics are the mean over the batches, each weighing the same; the images of an incomplete last
    batch are left out (a batch of one has no variance). A trunk without batch norm is left as it is.

    Args:
        encoder: calibrated in place; its modes are afterwards what they were.
        images: see `Images`, at least two.
        batch_size: how many images each batch's statistics are taken over.

    Raises:
        HandsightError: where fewer than two images came.
    """
    norms = [
        module
        for module in encoder.modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    ]
    if not norms:
        return
    if len(images) < 2 or batch_size < 2:
        raise HandsightError(
            f"calibration was given {len(images)} images in batches of {batch_size}; give 2 or more of both"
        )
    batch_size = min(batch_size, len(images))
    whole = images[: len(images) // batch_size * batch_size]
    momenta = [norm.momentum for norm in norms]
    with evaluating(encoder):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's sign for the plain average over batches
            norm.training = True  # only these: dropout stays off
        try:
            for batch in batches(whole, batch_size, encoder.preprocessing):
                encoder(batch)
        finally:
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum
