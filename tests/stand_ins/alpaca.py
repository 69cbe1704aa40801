"""Alpaca's REST interfaces (trading, and bars of stocks) over an `Exchange`, faults on demand.

A fault is given for the next request that matches, and says whether the request takes effect
first: an answer that is lost after the order was booked is the case that doubles orders.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from quant_core.calendar import new_york, to_datetime, xnys
from tests.stand_ins.alpaca_exchange import OPEN, Exchange, Refusal

KEY, SECRET = "PKTEST", "secret-of-a-paper-account"


@dataclass(slots=True, kw_only=True)
class Fault:
    """What goes wrong with a request: `cut` closes the connection, `hang` waits `seconds` first."""

    method: str = "POST"
    kind: Literal["status", "cut", "hang", "garbage"]
    status: int = 503
    after_effect: bool = False
    seconds: float = 0.0


class AlpacaStandIn:
    """A running server; `exchange` is what it keeps."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.bars: dict[str, list[dict[str, Any]]] = {}
        self.days: dict[str, list[dict[str, Any]]] = {}  # daily bars, where they are kept apart
        self.page = 10_000
        self.spread = 0.0002
        self.news: list[dict[str, Any]] = []
        self.contracts: list[dict[str, Any]] = []
        self.chain: dict[str, Any] = {}
        self.faults: list[Fault] = []
        self.down: set[str] = set()  # beginnings of paths that answer 503 for as long as they stand
        self.seen: list[tuple[str, str]] = []
        self.lock = threading.RLock()
        self._closing = threading.Event()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                stand_in.respond(self, "GET")

            def do_POST(self) -> None:
                stand_in.respond(self, "POST")

            def do_DELETE(self) -> None:
                stand_in.respond(self, "DELETE")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def respond(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        length = int(handler.headers.get("content-length") or 0)
        body = json.loads(handler.rfile.read(length)) if length else {}
        with self.lock:
            self.seen.append((method, handler.path))
            fault = next((f for f in self.faults if f.method == method), None)
            if fault is not None:
                self.faults.remove(fault)
            elif handler.path.startswith(tuple(self.down)):
                fault = Fault(method=method, kind="status")
            status, content = 0, None
            if fault is None or fault.after_effect:
                status, content = self._answer(handler, method, body)
        if fault is not None:
            status, content = self._fail(handler, fault, status, content)
        if status:
            _write(handler, status, content)

    def _fail(
        self, handler: BaseHTTPRequestHandler, fault: Fault, status: int, content: Any
    ) -> tuple[int, Any]:
        """What is answered instead; status 0 for nothing."""
        if fault.kind == "status":
            return fault.status, {"code": fault.status, "message": "scripted"}
        if fault.kind == "garbage":
            return 200, b"<html>gateway</html>"
        if fault.kind == "hang":
            self._closing.wait(fault.seconds)
        handler.close_connection = True
        return 0, None

    def _answer(
        self, handler: BaseHTTPRequestHandler, method: str, body: dict[str, Any]
    ) -> tuple[int, Any]:
        headers = handler.headers
        if (headers["APCA-API-KEY-ID"], headers["APCA-API-SECRET-KEY"]) != (KEY, SECRET):
            return 401, {"message": "unauthorized."}
        url = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        try:
            return self._route(method, url.path.removeprefix("/v2"), query, body)
        except Refusal as refusal:
            return refusal.status, {"code": refusal.code, "message": refusal.message}

    def _route(
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, Any]:
        exchange = self.exchange
        if (method, path) == ("GET", "/account"):
            return 200, self._account()
        if (method, path) == ("GET", "/clock"):
            stamp = exchange.now.isoformat()
            return 200, {
                "timestamp": stamp,
                "is_open": exchange.is_open,
                "next_open": stamp,
                "next_close": stamp,
            }
        if (method, path) == ("GET", "/positions"):
            return 200, [
                {"symbol": s, "qty": f"{q:.10g}", "avg_entry_price": f"{p:.10g}"}
                for s, (q, p) in exchange.positions.items()
            ]
        if (method, path) == ("POST", "/orders"):
            return 200, exchange.submit(body).payload()
        if (method, path) == ("GET", "/orders"):
            nested = query.get("nested", "").lower() == "true"
            shown = exchange.tickets if nested else exchange.everything()
            wanted = query.get("status", "open")
            return 200, [
                ticket.payload(nested)
                for ticket in shown
                if wanted == "all" or any(t.status in OPEN for t in (ticket, *ticket.legs))
            ]
        if (method, path) == ("GET", "/orders:by_client_order_id"):
            return 200, exchange.by_client_id(query["client_order_id"]).payload(nested=False)
        if (method, path) == ("GET", "/calendar"):
            return 200, self.calendar(query["start"])
        if (method, path) == ("GET", "/v1beta1/news"):
            since = datetime.fromisoformat(query["start"])
            rows = [r for r in self.news if datetime.fromisoformat(r["updated_at"]) >= since]
            begin = int(query.get("page_token") or 0)
            more = str(begin + 2) if begin + 2 < len(rows) else None
            return 200, {"news": rows[begin : begin + 2], "next_page_token": more}
        if (method, path) == ("GET", "/options/contracts"):
            asked = query["expiration_date_gte"], query["expiration_date_lte"]
            rows = [r for r in self.contracts if asked[0] <= r["expiration_date"] <= asked[1]]
            begin = int(query.get("page_token") or 0)
            more = str(begin + 2) if begin + 2 < len(rows) else None
            return 200, {"option_contracts": rows[begin : begin + 2], "next_page_token": more}
        if path.startswith("/v1beta1/options/snapshots/"):
            return 200, {"snapshots": self.chain, "next_page_token": None}
        if (method, path) == ("GET", "/stocks/quotes/latest"):
            half = {s: price * self.spread / 2 for s, price in exchange.prices.items()}
            return 200, {
                "quotes": {
                    s: {"bp": exchange.prices[s] - half[s], "ap": exchange.prices[s] + half[s]}
                    for s in query["symbols"].split(",")
                    if s in exchange.prices
                }
            }
        if (method, path) == ("GET", "/stocks/bars"):
            return self._bars(query)
        if path.startswith("/orders/"):
            order = path.removeprefix("/orders/")
            if method == "DELETE":
                exchange.cancel(order)
                return 204, None
            nested = query.get("nested", "").lower() == "true"
            return 200, exchange.by_id(order).payload(nested)
        return 404, {"code": 40410000, "message": f"endpoint {method} {path} not found."}

    def _bars(self, query: dict[str, str]) -> tuple[int, Any]:
        """Bars of some symbols by page, as `/v2/stocks/bars` gives them."""
        symbols = query["symbols"].split(",")
        for symbol in symbols:
            if symbol in self.exchange.unknown:
                return 400, {"message": f"invalid symbol: {symbol}"}
        if query["feed"] == "sip" and not self.exchange.account_fields.get("sip"):
            return 403, {"message": "subscription does not permit querying recent SIP data"}
        assert query["timeframe"] in ("1Min", "1Day")
        shelf = self.days if self.days and query["timeframe"] == "1Day" else self.bars
        first, last = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        rows = [
            (symbol, row)
            for symbol in sorted(symbols)
            for row in shelf.get(symbol, [])
            if first <= datetime.fromisoformat(row["t"]) <= last
        ]
        begin = int(query.get("page_token") or 0)
        end = begin + min(self.page, int(query["limit"]))
        more = str(end) if end < len(rows) else None
        shown: dict[str, list[dict[str, Any]]] = {}
        for symbol, row in rows[begin:end]:
            shown.setdefault(symbol, []).append(row)
        return 200, {"bars": shown, "next_page_token": more}

    def calendar(self, day: str) -> list[dict[str, str]]:
        """The exchange's day, or the next one where there is none."""
        first = date.fromisoformat(day)
        year = xnys(first.year, first.year + 1)
        session = year.between(first, date(first.year + 1, 12, 31))[0]
        opens, closes = (new_york(to_datetime(m))[11:] for m in (session.open, session.close))
        return [{"date": str(session.date), "open": opens, "close": closes}]

    def _account(self) -> dict[str, Any]:
        exchange = self.exchange
        return {
            "id": "e6fe16f3-64a4-4921-8928-cadf02f92f98",
            "account_number": "PA0000000001",
            "status": "ACTIVE",
            "currency": "USD",
            "cash": f"{exchange.cash:.2f}",
            "equity": f"{exchange.equity():.2f}",
            "buying_power": f"{max(0.0, 2 * exchange.cash):.2f}",
            "trading_blocked": False,
            "account_blocked": False,
            "trade_suspended_by_user": False,
            "shorting_enabled": exchange.shorting,
            **exchange.account_fields,
        }


def _write(handler: BaseHTTPRequestHandler, status: int, content: Any) -> None:
    whole = b"" if content is None else content
    whole = whole if isinstance(whole, bytes) else json.dumps(whole).encode()
    handler.send_response(status)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(whole)))
    handler.end_headers()
    handler.wfile.write(whole)


@contextmanager
def alpaca_stand_in(exchange: Exchange | None = None) -> Iterator[AlpacaStandIn]:
    """A server for as long as the block lasts."""
    server = AlpacaStandIn(exchange or Exchange())
    server.start()
    try:
        yield server
    finally:
        server.close()
