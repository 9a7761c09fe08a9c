"""Calls to a PYNQ.remote board that end: deadlines, bounded answers, and one line for a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import grpc

from specbp.errors import SpecbpError
from specbp.onboard.untrusted import printable

CALL_S = 30.0
TRANSFER_S = 120.0
"""For a whole file or buffer; programming a simulated board may compile the overlay meanwhile."""
MOST_BYTES = 1 << 30
"""Of one answer."""
MOST_SAID = 300
"""Characters of what a board says that are shown."""
_OPTIONS = (
    # Notices within 30 s that the board is off, or its server stopped. A server that sends nothing
    # for longer than three of these takes them for an attack; renewals of the lease keep it busy.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # Not the web's proxy.
    ("grpc.enable_http_proxy", 0),
)


class BoardLostError(SpecbpError):
    """The board does not answer any more."""


class _Details(NamedTuple):
    """What gRPC lets interceptors change of a call."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class _Bounded(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[misc]
):
    """Gives every call a deadline, and every answer a size that it must not exceed."""

    def intercept_unary_unary(self, call: Callable[..., Any], details: Any, request: Any) -> Any:
        return call(_within(details, CALL_S), request)

    def intercept_unary_stream(self, call: Callable[..., Any], details: Any, request: Any) -> Any:
        return _counted(call(_within(details, TRANSFER_S), request))

    def intercept_stream_unary(self, call: Callable[..., Any], details: Any, requests: Any) -> Any:
        return call(_within(details, TRANSFER_S), requests)


def open_channel(address: str) -> Any:
    """Return a channel whose calls end."""
    return grpc.intercept_channel(grpc.insecure_channel(address, _OPTIONS), _Bounded())


@contextmanager
def answering(where: str) -> Iterator[None]:
    """Turn what goes wrong in a call to the board at `where` into one line.

    Raises:
        BoardLostError: it does not answer.
        SpecbpError: it refuses, or its answer does not fit.
    """
    try:
        yield
    except grpc.RpcError as error:
        said = _said(error.details() or "")
        if error.code() in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.CANCELLED,
        ):
            raise BoardLostError(
                f"{where}: the board does not answer any more ({said}): see to it that it is on "
                "and its server runs, then start the same command again"
            ) from error
        raise SpecbpError(f"{where}: {said}") from error
    except RuntimeError as error:
        # What pynq's client makes of an answer that says no.
        raise SpecbpError(f"{where}: {_said(error)}") from error
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise BoardLostError(
            f"{where}: what the board answers does not fit ({_said(error)}): is it a "
            "PYNQ.remote board, and was it not restarted meanwhile?"
        ) from error


def _said(what: object) -> str:
    """Return the first line of what a board said, short enough for one line."""
    return printable(str(what).partition("\n")[0], MOST_SAID) or "no reason given"


def _within(details: Any, seconds: float) -> _Details:
    return _Details(
        details.method,
        seconds if details.timeout is None else details.timeout,
        details.metadata,
        details.credentials,
        details.wait_for_ready,
        details.compression,
    )


def _counted(messages: Any) -> Iterator[Any]:
    total = 0
    for message in messages:
        total += message.ByteSize()
        if total > MOST_BYTES:
            messages.cancel()
            raise ValueError(f"more than {MOST_BYTES >> 20} MiB in one answer")
        yield message
