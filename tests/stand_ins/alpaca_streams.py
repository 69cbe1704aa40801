"""Alpaca's two streams: trade updates (JSON) and minute bars (msgpack), over real websockets."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import msgpack
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.stand_ins.alpaca import KEY, SECRET


class StreamStandIn:
    """A websocket server; `send` reaches every client that has logged in and subscribed."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.subscribed: dict[str, Any] = {}
        self.logins = 0
        self._clients: set[ServerConnection] = set()
        self._changed = threading.Condition()
        self._server = serve(self._talk, "127.0.0.1", 0)
        port = self._server.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait_for_client(self, logins: int = 1, seconds: float = 15.0) -> None:
        with self._changed:
            arrived = self._changed.wait_for(
                lambda: self.logins >= logins and self._clients, seconds
            )
        assert arrived, "no client subscribed"

    def send(self, *messages: dict[str, Any]) -> None:
        for client in list(self._clients):
            with suppress(ConnectionClosed):
                if self.kind == "bars":
                    client.send(msgpack.packb(list(messages), datetime=True))
                else:
                    for message in messages:
                        client.send(json.dumps(message).encode())

    def send_raw(self, data: bytes) -> None:
        for client in list(self._clients):
            client.send(data)

    def cut(self) -> None:
        """Close every connection, as a proxy that restarts does."""
        with self._changed:
            clients, self._clients = list(self._clients), set()
        for client in clients:
            client.close(1012)

    def close(self) -> None:
        self.cut()
        self._server.shutdown()

    def _talk(self, client: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            (self._bars if self.kind == "bars" else self._updates)(client)
        with self._changed:
            self._clients.discard(client)

    def _updates(self, client: ServerConnection) -> None:
        login = json.loads(client.recv())
        assert login["action"] == "authenticate"
        right = login["data"] == {"key_id": KEY, "secret_key": SECRET}
        status = "authorized" if right else "unauthorized"
        answer = {"action": "authenticate", "status": status}
        client.send(json.dumps({"stream": "authorization", "data": answer}))
        if not right:
            return
        listen = json.loads(client.recv())
        client.send(json.dumps({"stream": "listening", "data": listen["data"]}))
        self._serve(client, listen["data"])

    def _bars(self, client: ServerConnection) -> None:
        client.send(msgpack.packb([{"T": "success", "msg": "connected"}]))
        login = msgpack.unpackb(client.recv())
        if (login["key"], login["secret"]) != (KEY, SECRET):
            client.send(msgpack.packb([{"T": "error", "code": 402, "msg": "auth failed"}]))
            return
        client.send(msgpack.packb([{"T": "success", "msg": "authenticated"}]))
        wanted = msgpack.unpackb(client.recv())
        client.send(msgpack.packb([{"T": "subscription", **wanted}]))
        self._serve(client, wanted)

    def _serve(self, client: ServerConnection, wanted: dict[str, Any]) -> None:
        with self._changed:
            self.subscribed, self.logins = wanted, self.logins + 1
            self._clients.add(client)
            self._changed.notify_all()
        for _ in client:  # until it goes
            pass


def minute_bar(symbol: str, start: datetime, close: float, **differs: Any) -> dict[str, Any]:
    """A bar as the stream sends it."""
    values = {"o": close, "h": close + 0.5, "l": close - 0.5, "c": close, "v": 1500, "n": 20}
    return {"T": "b", "S": symbol, **values, "vw": close, "t": start, **differs}


@contextmanager
def stream_stand_in(kind: str) -> Iterator[StreamStandIn]:
    """`kind` is `bars` or `updates`."""
    server = StreamStandIn(kind)
    try:
        yield server
    finally:
        server.close()
