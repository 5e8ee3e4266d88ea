"""optdigits: the handwritten digits that come with scikit-learn, scaled to MNIST's geometry."""

import numpy as np

from inkwise.data.dataset import Dataset, Split
from inkwise.data.splits import stratified_draw
from inkwise.ink import normalise_batch
from inkwise.system.extras import require_training

TEST_SHARE = 0.2
_SPLIT_SEED = 0  # part of the data set's definition: everybody's test images are the same


def load_optdigits() -> Dataset:
    """Load the 1,797 digits of scikit-learn's `load_digits`, brought from 8×8 to 28×28.

    scikit-learn does not separate test images, so the test part is a fifth of the digits, drawn by
    class and always the same. The writers of the digits are not recorded, so that the same people
    wrote both parts.

    Returns
    -------
    Dataset
        1,438 training and 359 test images of 28×28.

    References
    ----------
    E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998. doi:10.24432/C50P49
    """
    require_training("the data set optdigits")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    digits = Split(
        images=np.stack([ink.image for ink in normalise_batch(bunch.images)]),
        labels=bunch.target.astype(np.int64),
    )
    train, test = stratified_draw(digits.labels, round(TEST_SHARE * len(digits)), _SPLIT_SEED)
    return Dataset(
        name="optdigits",
        title="optdigits, 1,797 handwritten digits, brought from 8×8 to 28×28",
        class_names=tuple("0123456789"),
        train=digits.take(train),
        test=digits.take(test),
        source="scikit-learn",
    )
