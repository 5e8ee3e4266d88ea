"""Work on many things by several threads, a few of them ahead of whoever takes the results."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

_Thing = TypeVar("_Thing")
_Result = TypeVar("_Result")


def map_ahead(
    work: Callable[[_Thing], _Result], things: Iterable[_Thing], threads: int
) -> Iterator[_Result]:
    """Yield the result of `work` for each thing, in their order.

    Unlike `Executor.map`, it draws from `things` only as results are taken: one more than there are
    threads are under way, however many there will be.
    """
    from concurrent.futures import ThreadPoolExecutor

    rest = iter(things)
    pending: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for thing in rest:
                pending.append(pool.submit(work, thing))
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
