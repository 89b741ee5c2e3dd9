"""Run slow calls in parallel and yield results as they complete; start nothing after an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
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
    source: Iterator[Item | object] = iter(items)
    running: dict[Future[Result], Item] = {}
    failed: BaseException | None = None
    with ThreadPoolExecutor(concurrency) as pool:
        exhausted = False
        while running or not exhausted:
            while not exhausted and failed is None and len(running) < concurrency:
                item = next(source, _END)
                if item is _END:
                    exhausted = True
                else:
                    running[pool.submit(function, item)] = item  # type: ignore[arg-type, assignment]  # not _END
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=lambda f: f.exception() is not None):
                finished, error = running.pop(future), future.exception()
                if error is None:
                    yield finished, future.result()
                else:
                    failed, exhausted = failed or error, True
    if failed is not None:
        raise failed


_END = object()
