"""A cable between a client and a server that can be cut at a message."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class CutCable:
    """Passes on what comes over TCP, until it is told to cut.

    Args:
        port: Where the server listens on this machine.

    Attributes:
        port: Where the client has to call.
        cut_at: ``request`` (the client's next message gets lost and the connection
            ends), ``answer`` (it arrives, and its answer gets lost), ``client`` (it
            arrives, and the client's end breaks at once, the server's stays), or empty.
            Is empty again after the cut.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.cut_at = ""
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._sockets):
            _end(one)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [client, server]
                for way in ((client, server, "request"), (server, client, "answer")):
                    threading.Thread(target=self._pass, args=way, daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket, what: str) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if self.cut_at == what:
                    self.cut_at = ""
                    break
                to.sendall(data)
                if self.cut_at == "client" and what == "request":
                    self.cut_at = ""
                    _end(source)
                    return
        _end(source)
        _end(to)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
