"""Tests of the networks, and networks drawn at random for them."""

from hypothesis import reject
from hypothesis import strategies as st

from inkwise.errors import ArgumentError
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, Layer, MaxPool, Network

COUNTS = st.integers(1, 3)
DROPOUTS = st.builds(Dropout, st.floats(0, 0.9))
DENSES = st.builds(Dense, st.integers(1, 5), st.booleans())
MAP_LAYERS: st.SearchStrategy[Layer] = st.one_of(
    st.builds(Conv, COUNTS, COUNTS, st.booleans(), st.integers(1, 2)),
    st.builds(MaxPool, COUNTS),
    DROPOUTS,
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Draw small networks of every layer in every order that is allowed."""
    image_size = draw(st.tuples(st.integers(4, 14), st.integers(4, 14)))
    maps = draw(st.lists(MAP_LAYERS, max_size=4))
    vectors: list[Layer] = draw(st.lists(DENSES | DROPOUTS, max_size=3))
    try:
        return Network(image_size, (*maps, Flatten(), *vectors, draw(DENSES)))
    except ArgumentError:  # the maps have shrunk away
        reject()


@st.composite
def ensembles(draw: st.DrawFn) -> Ensemble:
    """Draw ensembles of two or three small networks."""
    image_size = draw(st.tuples(st.integers(6, 14), st.integers(6, 14)))
    ending = (Flatten(), draw(DENSES))
    fronts: list[list[Layer]] = draw(
        st.lists(st.lists(st.builds(Conv, COUNTS, COUNTS), max_size=2), min_size=2, max_size=3)
    )
    return Ensemble(tuple(Network(image_size, (*front, *ending)) for front in fronts))
