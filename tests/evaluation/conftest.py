"""What the tests of the figures share."""

import pytest


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the resamples, where hundreds of intervals are drawn to count their hits.

    Each interval's ends are a little rougher for it; how often they hold the truth hardly changes.
    """
    for name in ("intervals", "reliability"):
        monkeypatch.setattr(f"inkwise.evaluation.{name}.RESAMPLES", 500)
