"""inkwise: train a recipe, save the model, evaluate it."""

from pathlib import Path

import torch

from inkwise.bench.programs.task import Task, timed
from inkwise.data.dataset import Dataset
from inkwise.data.splits import split_dataset
from inkwise.evaluation.results import evaluate_model
from inkwise.model import Model
from inkwise.networks.as_torch import build, get_weights
from inkwise.training.loop import Training
from inkwise.training.named_recipes import get_recipe


def main() -> None:
    """Run the contender."""
    task = Task.read()
    digits = tuple("0123456789")
    dataset = Dataset("mnist", "MNIST", digits, *task.load(), source=task.data)
    recipe = get_recipe(task.name, seed=task.seed)
    splits = split_dataset(dataset, recipe.holdout, recipe.seed)
    network = recipe.describe_network(dataset.image_size, len(digits))
    torch.manual_seed(recipe.seed)
    training = Training(build(network, recipe.batch_norm), splits.train, splits.validation, recipe)

    clock = task.ready()
    models = []
    for _ in training.epochs():
        clock.stop()
        models.append(Model(network, get_weights(training.averaged), digits))
        clock.start()

    def evaluate() -> None:
        evaluation = evaluate_model(models[-1], dataset, splits.test, "test")
        evaluation.to_dict()  # computes every metric with its interval

    evaluation_seconds = timed(evaluate)
    folder = models[-1].save(Path(task.work) / "model")
    clock.report(
        [float((m.predict(splits.test.images) == splits.test.labels).mean()) for m in models],
        training_images=len(splits.train),
        evaluation_seconds=evaluation_seconds,
        model_bytes=(folder / "model.onnx").stat().st_size,
    )


if __name__ == "__main__":
    main()
