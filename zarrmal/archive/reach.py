"""The first answer of a server, within bounds: libraries go on asking for minutes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar

from ..errors import InputError

FIRST_ANSWER_SECONDS = 30.0
"""Long enough for a slow login, and for one repetition after adlfs's 15 seconds of waiting."""

T = TypeVar("T")


def first_answer(call: Callable[[], T], where: str) -> T:
    """What the call returns or raises; InputError where the server has said nothing by then.

    The call itself cannot be ended: it goes on in a thread that does not keep the process alive,
    until its library gives up.
    """
    answer: Future[T] = Future()

    def ask() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=ask, name="zarrmal-first-answer", daemon=True).start()
    if not wait([answer], FIRST_ANSWER_SECONDS).done:
        raise InputError(
            f"{where}: no answer in {FIRST_ANSWER_SECONDS:g} seconds: check the address, the "
            f"endpoint and the network"
        )
    return answer.result()
