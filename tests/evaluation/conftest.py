from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from handsight.evaluation.features import Features

MakeFeatures = Callable[..., Features]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Problems this small spend more time waiting for threads than computing."""
    threads_n = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(threads_n)


@pytest.fixture
def make_features() -> MakeFeatures:
    """Objects of categories: frames lie around their object, objects around their category."""

    def make(
        generator: np.random.Generator,
        objects_n: int,
        *,
        views_n: int = 5,
        categories_n: int = 4,
        dimensions: int = 12,
        first_object: int = 0,
        signal: float = 1.0,
    ) -> Features:
        centres = np.random.default_rng(99).normal(size=(categories_n, dimensions))
        instance = np.repeat(np.arange(objects_n), views_n)
        category = instance % categories_n
        own = generator.normal(size=(objects_n, dimensions))[instance]
        noise = generator.normal(size=(len(instance), dimensions))
        embeddings = 5 + signal * centres[category] + 0.6 * own + 0.6 * noise
        return Features(
            embeddings.astype(np.float32),
            category.astype(np.int64),
            instance + first_object,
            instance + first_object,
            np.tile(np.arange(views_n), objects_n),
        )

    return make
