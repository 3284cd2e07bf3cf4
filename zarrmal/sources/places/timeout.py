"""A bound on the time that a server takes to answer: libraries retry for minutes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar

from ...errors import UnreachableError

FIRST_ANSWER_SECONDS = 30.0
"""Long enough for a slow login, and for one retry after the 15 seconds that adlfs waits."""

T = TypeVar("T")


def first_answer(call: Callable[[], T], where: str) -> T:
    """What the call returns or raises; UnreachableError if the server is silent for too long.

    The call itself cannot be ended: it continues in a daemon thread until its library gives up.
    """
    answer: Future[T] = Future()

    def ask() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # for the thread that waits
            answer.set_exception(error)

    Thread(target=ask, name="zarrmal-first-answer", daemon=True).start()
    if not wait([answer], FIRST_ANSWER_SECONDS).done:
        raise UnreachableError(
            f"{where}: no answer in {FIRST_ANSWER_SECONDS:g} seconds: check the address, the "
            f"endpoint and the network"
        )
    return answer.result()
