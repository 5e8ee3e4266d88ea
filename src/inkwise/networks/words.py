"""The word that was meant: the nearest known one, or the one of Keras or PyTorch in its place."""

import datetime
import difflib
import re
from collections.abc import Collection, Mapping

_ELSEWHERE = {
    "maxpooling": "pool",
    "maxpool": "pool",
    "averagepooling": "average_pool",
    "avgpool": "average_pool",
    "globalaveragepooling": "global_pool",
    "globalavgpool": "global_pool",
    "adaptiveavgpool": "global_pool",
    "linear": "dense",
    "fc": "dense",
    "fullyconnected": "dense",
    "spatialdropout": "spatial_dropout",
    "units": "filters",
    "filters": "units",
    "outchannels": "filters",
    "channels": "filters",
    "neurons": "units",
    "nodes": "units",
    "outfeatures": "units",
    "kernelsize": "kernel",
    "poolsize": "size",
    "p": "rate",
    "negativeslope": "slope",
    "swish": "silu",
    "none": "linear",
    "identity": "linear",
    "lr": "learning_rate",
    "earlystopping": "patience",
    "onecycle": "one_cycle",
    "cosineannealing": "cosine",
    "reducelronplateau": "plateau",
}
"""What other libraries call a layer, a key or a kind, without capitals and signs, and we call it.

Of several uses of a word the one that is known where it stands counts.
"""

_WITHOUT = {
    "softmax": "softmax follows the last layer by itself: leave it out",
    **dict.fromkeys(
        ("input", "inputlayer", "rescaling", "normalization", "normalize", "totensor"),
        "images come to the first layer by themselves, scaled: leave it out",
    ),
    **dict.fromkeys(
        ("zeropadding", "zeropad", "pad"), 'write padding = "same" in the layer below in its place'
    ),
    **dict.fromkeys(
        ("depthwiseconv", "depthwise"), "write a conv whose groups are the channels that come to it"
    ),
    **dict.fromkeys(
        ("separableconv", "separable"),
        "write two conv: one whose groups are the channels, and one with kernel = 1",
    ),
    "add": "write a residual around the layers",
}
"""What to write for layers of other libraries that are none of ours."""


def nearest(word: object, known: Collection[str], likeness: float = 0.6) -> str:
    """Return " (did you mean 'X'?)" for the known word most like this one, or nothing."""
    alien = _ELSEWHERE.get(_plain(word))
    close = difflib.get_close_matches(str(word).lower(), known, n=1, cutoff=likeness)
    meant = alien if alien in known else next(iter(close), None)
    return f" (did you mean {meant!r}?)" if meant else ""


def instead_of(layer: object) -> str | None:
    """Return what to write in place of a layer that only other libraries have, if that is known."""
    return _WITHOUT.get(_plain(layer))


def shown(value: object) -> str:
    """Return a value of a document as one reads it there; lists and tables by what they are."""
    match value:
        case bool():
            return str(value).lower()
        case Mapping():
            return "a table"
        case [*items] if any(isinstance(item, list | tuple | Mapping) for item in items):
            return "a list of tables or lists"
        case tuple():
            return repr([*value])
        case datetime.date() | datetime.time():
            return f"the date {value}"
        case _:
            return repr(value)


def _plain(word: object) -> str:
    """Return a word such as ``MaxPool2d`` or ``max_pool`` without what libraries differ in."""
    return re.sub("[^a-z]", "", re.sub("[123]d$", "", str(word).lower()))
