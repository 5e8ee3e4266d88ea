"""PyTorch's introductory MNIST network, trained as PyTorch's own example trains it.

The example runs 14 epochs; this program stops after `EPOCHS`, when it has reached 99%.

References
----------
https://github.com/pytorch/examples/tree/main/mnist
"""

from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from inkwise.bench.programs.task import Task, time_predictions, timed

EPOCHS = 3


def main() -> None:
    """Run the contender."""
    task = Task.read()
    train, test = task.load()
    torch.manual_seed(task.seed)

    def normalise(images: NDArray[Any]) -> Tensor:
        return (torch.from_numpy(images).unsqueeze(1) / 255 - 0.1307) / 0.3081

    train_set = TensorDataset(normalise(train.images), torch.from_numpy(train.labels))
    test_set = TensorDataset(normalise(test.images), torch.from_numpy(test.labels))
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=1000)
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
        nn.LogSoftmax(dim=1),
    )
    optimiser = torch.optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimiser, step_size=1, gamma=0.7)
    accuracies = []

    def evaluate() -> float:
        model.eval()
        correct = 0
        with torch.no_grad():
            for inputs, targets in test_loader:
                correct += int((model(inputs).argmax(1) == targets).sum())
        return correct / len(test_set)

    clock = task.ready()
    for _ in range(EPOCHS):
        model.train()
        for inputs, targets in train_loader:
            optimiser.zero_grad()
            loss = functional.nll_loss(model(inputs), targets)
            loss.backward()
            optimiser.step()
        scheduler.step()
        clock.stop()
        accuracies.append(evaluate())
        clock.start()

    def predict(images: Any) -> Tensor:
        with torch.no_grad():
            return torch.cat([model(batch).argmax(1) for batch in images.split(1000)])

    path = Path(task.work) / "model.pt"
    torch.save(model.state_dict(), path)
    clock.report(
        accuracies,
        training_images=len(train_set),
        evaluation_seconds=timed(evaluate),
        model_bytes=path.stat().st_size,
        **time_predictions(predict, test_set.tensors[0]),  # type: ignore[arg-type]
    )


if __name__ == "__main__":
    main()
