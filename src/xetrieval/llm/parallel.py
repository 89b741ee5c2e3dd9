"""Run slow calls in parallel and yield results as they complete; start nothing after an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from ..errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], concurrency: int
) -> Iterator[tuple[Item, Result]]:
    """Each item with its result, in the order of completion; at most `concurrency` calls run at once.

    The first error ends the run. Calls in progress are awaited, since their answers may cost money, and their results
    are yielded before the error is raised.

    Raises:
        InputError: concurrency < 1. Anything that `function` raises.
    """
    if concurrency < 1:
        raise InputError(f"concurrency must be at least 1, not {concurrency}")
    source, running = iter(items), dict[Future[Result], Item]()
    failed: BaseException | None = None
    with ThreadPoolExecutor(concurrency) as pool:
        while True:
            for item in islice(source, concurrency - len(running) if failed is None else 0):
                running[pool.submit(function, item)] = item
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda f: f.exception() is not None):
                finished, error = running.pop(future), future.exception()
                if error is None:
                    yield finished, future.result()
                else:
                    failed = failed or error
    if failed is not None:
        raise failed
