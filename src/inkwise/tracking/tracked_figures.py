"""The figures that trackers keep, by the names under which they keep them."""

from inkwise.runs.directory import Run
from inkwise.training.history import Epoch


def epoch_figures(epoch: Epoch) -> dict[str, float]:
    """Return the figures of an epoch by their names."""
    return {
        "loss/train": epoch.train_loss,
        "loss/validation": epoch.validation_loss,
        "accuracy/train": epoch.train_accuracy,
        "accuracy/validation": epoch.validation_accuracy,
        "seconds": epoch.seconds,
    }


def tested_figures(run: Run) -> dict[str, float]:
    """Return the main figures on the test split by their names."""
    evaluation = run.evaluation
    macro = evaluation.averages["macro"]
    return {
        "test/accuracy": evaluation.accuracy.value,
        "test/loss": evaluation.loss.value,
        "test/macro precision": macro.precision.value,
        "test/macro recall": macro.recall.value,
        "test/macro F1": macro.f1.value,
        "test/misclassified": float(len(evaluation.misclassified)),
    }
