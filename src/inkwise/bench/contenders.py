"""The contenders of the bench: the libraries and recipes that it compares."""

import dataclasses
import importlib.util

_PROGRAMS = "inkwise.bench.programs"
_OURS = (f"{_PROGRAMS}.ours", f"{_PROGRAMS}.ours_predict")
_KERAS = (f"{_PROGRAMS}.keras_case_study", f"{_PROGRAMS}.keras_predict")


@dataclasses.dataclass(frozen=True)
class Contender:
    """A library or recipe that takes part in the bench.

    Parameters
    ----------
    name : str
        Name for ``--only`` and for its programs.
    title : str
        Name in tables and figures.
    programs : tuple of str
        Modules to run one after the other, each in a fresh process; together they produce the
        values of a `Measurement`.
    images : int or None
        Number of training images, drawn by class, if training on all of them would take too long.
    quick : bool
        Whether it takes part in the quick bench.
    library, extra : str or None
        An optional library that it needs, and the extra that installs it.
    """

    name: str
    title: str
    programs: tuple[str, ...]
    images: int | None = None
    quick: bool = False
    library: str | None = None
    extra: str | None = None

    @property
    def obstacle(self) -> str | None:
        """Why the contender cannot run here, in one line; None if it can."""
        if self.library is None or importlib.util.find_spec(self.library):
            return None
        return (
            f"{self.title} is left out, because {self.library} is not installed: "
            f"pip install 'inkwise[{self.extra}]'"
        )


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender("swift", "inkwise swift", _OURS, quick=True),
        Contender("case-study", "inkwise case-study", _OURS, quick=True),
        Contender(
            "keras",
            "Keras, case study",
            _KERAS,
            quick=True,
            library="tensorflow",
            extra="keras",
        ),
        Contender("pytorch", "PyTorch example", (f"{_PROGRAMS}.pytorch_example",)),
        Contender("knn", "nearest neighbours", (f"{_PROGRAMS}.scikit_learn",)),
        Contender("svm", "RBF-kernel SVM", (f"{_PROGRAMS}.scikit_learn",), images=10_000),
        Contender("boosting", "gradient boosting", (f"{_PROGRAMS}.scikit_learn",), images=10_000),
        Contender("mlp", "scikit-learn MLP", (f"{_PROGRAMS}.scikit_learn",)),
    )
}
"""The contenders by name, in the order in which they run."""

GROWN = CONTENDERS["swift"]
"""The contender for which the growth of time with size is measured."""
BATCHES = f"{_PROGRAMS}.ours_batches"
"""The program that measures prediction by batch size."""
