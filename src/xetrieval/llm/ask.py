"""Asks, checks the answer, and asks again with its fault named; asks many questions in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import count, islice
from typing import TypeVar

from ..errors import InputError
from .base import Answer, ChatModel
from .checks import Checked
from .prompt import Prompt

Value = TypeVar("Value")
Item = TypeVar("Item")
Result = TypeVar("Result")


def attempts(
    model: ChatModel, prompt: Prompt, check: Callable[[Answer], Checked[Value]], **values: str
) -> Iterator[Checked[Value]]:
    """An endless stream of checked answers; each request names the fault of the previous answer."""
    fault = None
    for attempt in count():
        checked = check(model.ask(prompt.request(attempt, fault, **values)))
        yield checked
        fault = checked.fault


def ask(
    model: ChatModel, prompt: Prompt, check: Callable[[Answer], Checked[Value]], retries: int, **values: str
) -> Checked[Value]:
    """The first usable answer, or the last unusable one after `retries` more attempts.

    Raises:
        EndpointError: the model does not answer. BudgetSpent: asking could cost too much.
    """
    for checked in islice(attempts(model, prompt, check, **values), retries + 1):
        if checked.fault is None:
            break
    return checked


def in_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], concurrency: int
) -> Iterator[tuple[Item, Result]]:
    """Each item with its result, in the order of completion; at most `concurrency` calls run at once.

    The first error ends the run. Calls in progress are awaited, since their answers may cost money, and their results
    are yielded before the error is raised.
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
