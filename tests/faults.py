"""A proxy before a server that spoils requests at random: it drops, delays, cuts off, repeats and refuses them."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

FAULTS = ("drop", "lose answer", "delay", "cut request", "cut answer", "repeat", "refuse", "corrupt")


class Faults:
    """What is spoilt, and what was; a context manager in which the proxy listens.

    Parameters
    ----------
    port
        Of the server.
    share
        Of requests that are spoilt.
    seed
        What chance is drawn from.
    corrupt
        Whether bytes of what is read are changed, too: only what has a checksum survives that.
    """

    def __init__(self, port: int, *, share: float, seed: int, corrupt: bool = False) -> None:
        self.server = port
        self.share = share
        self.random = random.Random(seed)
        self.kinds = FAULTS if corrupt else FAULTS[:-1]
        self.counts: Counter[str] = Counter()
        self.requests = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Pass one request on; a connection serves no second one."""
        with contextlib.suppress(OSError), client:
            client.settimeout(30)
            request = _read_message(client, answers=True)
            if not request:
                return
            with self._lock:
                self.requests += 1
                fault = self.random.choice(self.kinds) if self.random.random() < self.share else ""
                if fault == "corrupt" and not request.startswith(b"GET"):
                    fault = "drop"
                part = self.random.random()
                if fault:
                    self.counts[fault] += 1
            for piece in self._spoil(request, fault, part):
                client.sendall(piece)

    def _spoil(self, request: bytes, fault: str, part: float) -> Iterator[bytes]:
        head = request.index(b"\r\n\r\n") + 4
        if fault == "drop":
            return
        if fault == "refuse":
            yield b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            return
        if fault == "delay":
            time.sleep(0.02 + 0.1 * part)
        if fault == "cut request":
            self._ask(request[: head + int(part * (len(request) - head))], cut=True)
            return
        if fault == "repeat":
            self._ask(request)
        answer = self._ask(request)
        start = answer.find(b"\r\n\r\n") + 4
        body = len(answer) - start
        if fault == "lose answer":
            return
        if fault == "cut answer":
            answer = answer[: start + int(part * body)]
        if fault == "corrupt" and body > 0:
            at = start + int(part * body)
            answer = answer[:at] + bytes([answer[at] ^ 0x55]) + answer[at + 1 :]
        yield answer

    def _ask(self, request: bytes, *, cut: bool = False) -> bytes:
        """Ask the server, which closes the connection behind its answer."""
        first, rest = request.split(b"\r\n", 1)
        lines = rest.split(b"\r\n\r\n", 1)
        kept = [line for line in lines[0].split(b"\r\n") if not line.lower().startswith((b"connection:", b"expect:"))]
        whole = b"\r\n".join([first, *kept, b"Connection: close"]) + b"\r\n\r\n" + lines[1]
        with socket.create_connection(("127.0.0.1", self.server), timeout=30) as server:
            server.sendall(whole)
            if cut:
                return b""
            found = bytearray()
            while data := server.recv(1 << 16):
                found += data
        return bytes(found)


def _read_message(client: socket.socket, *, answers: bool) -> bytes:
    """Read a request to its end."""
    data = bytearray()
    while b"\r\n\r\n" not in data:
        more = client.recv(1 << 16)
        if not more:
            return b""
        data += more
    head = data.index(b"\r\n\r\n") + 4
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in bytes(data[:head]).split(b"\r\n")[1:])
    }
    if answers and headers.get(b"expect", b"").lower() == b"100-continue":
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = int(headers.get(b"content-length", b"0"))
    while len(data) < head + length:
        more = client.recv(1 << 16)
        if not more:
            return b""
        data += more
    return bytes(data)
