"""Optimisers and learning-rate schedules, as pure functions of the step."""

from __future__ import annotations

import math

import torch
from torch import nn

from handsight.methods import Optimisation


def make_optimiser(module: nn.Module, settings: Optimisation) -> torch.optim.Optimizer:
    """Return the optimiser over a module's trainable parameters."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if settings.optimiser == "sgd":
        # Not fused: that fails where some weights are first trained in a later stage than others.
        return torch.optim.SGD(
            parameters, settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay
        )
    if settings.optimiser == "rmsprop":
        # Its weight decay is not decoupled: it is added to the gradient, as SGD's is.
        return torch.optim.RMSprop(parameters, settings.learning_rate, weight_decay=settings.weight_decay)
    if settings.optimiser == "adam":
        return torch.optim.Adam(
            parameters, settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
    return torch.optim.AdamW(
        parameters, settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )


def learning_rate(settings: Optimisation, step: int, steps: int) -> float:
    """Return the learning rate of step `step` of `steps`.

    The schedule `steps` is Mask R-CNN's: a tenth after 60,000 and again after 80,000 of 90,000.
    """
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    if settings.schedule == "constant":
        return settings.learning_rate
    if settings.schedule == "steps":
        return settings.learning_rate * 0.1 ** ((3 * step >= 2 * steps) + (9 * step >= 8 * steps))
    done = (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
