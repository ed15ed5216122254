import math

import pytest
import torch

from handsight.errors import HandsightError
from handsight.objectives import LinearClassifier, classification_loss


def test_loss_by_hand():
    # −log softmax of the right category: (1, 0) right gives log(1 + e⁻¹), wrong gives log(1 + e).
    scores = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    expected = (math.log(1 + math.exp(-1)) + math.log(1 + math.e)) / 2
    assert classification_loss(scores, torch.tensor([0, 1])).item() == pytest.approx(expected, abs=1e-6)


def test_loss_of_half_precision_is_float32():
    loss = classification_loss(torch.zeros(3, 4, dtype=torch.bfloat16), torch.tensor([0, 1, 3]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(math.log(4), abs=1e-6)


def test_classifier_learns_separable_categories():
    classifier = LinearClassifier(2, 2)
    features, labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])
    optimiser = torch.optim.SGD(classifier.parameters(), lr=5.0)
    for _ in range(50):
        optimiser.zero_grad()
        classification_loss(classifier(features), labels).backward()
        optimiser.step()
    assert classifier(features).argmax(dim=1).tolist() == [0, 1]


@pytest.mark.parametrize(("labels", "wrong"), [([0, 3], "3"), ([-1, 0], "-1")])
def test_refuses_labels_of_no_category(labels, wrong):
    with pytest.raises(
        HandsightError, match=f"label {wrong} came to a classifier of 3 categories; give 0 to 2"
    ):
        classification_loss(torch.zeros(2, 3), torch.tensor(labels))


def test_refuses_an_empty_batch_and_a_single_category():
    with pytest.raises(HandsightError, match="batch to classify is empty"):
        classification_loss(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(HandsightError, match="1 categories has nothing to tell apart"):
        LinearClassifier(8, 1)
