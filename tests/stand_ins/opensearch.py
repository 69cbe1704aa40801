"""OpenSearch, as much of it as the index needs: it checks bodies as the service would, and answers.

Indices with strict mappings, aliases, bulk, mget, search and msearch over match, bool, terms,
range, match_all and knn, terms/min/max aggregations, search_after. What the service would refuse is
answered with its status and error, and kept in `violations`. `faults` are answered first, in order.
"""

import json
import math
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

Body = dict[str, Any]
TYPES = {"keyword", "long", "text", "knn_vector"}


class Refused(Exception):
    """What the service would answer instead."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.kind = status, kind


def _bad(reason: str) -> Refused:
    return Refused(400, "illegal_argument_exception", reason)


class Cluster:
    """The state of a cluster, and what each request does to it."""

    def __init__(self) -> None:
        self.indices: dict[str, Body] = {}
        self.aliases: dict[str, set[str]] = {}
        self.violations: list[str] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.faults: list[int] = []
        self.lock = threading.RLock()

    def answer(self, method: str, path: str, query: dict[str, str], raw: bytes) -> Any:
        parts = [unquote(part) for part in path.strip("/").split("/") if part]
        last = parts[-1] if parts else ""
        if last == "_bulk":
            return self.bulk(parts[0], _lines(raw), query)
        if last == "_msearch":
            lines = _lines(raw)
            if len(lines) % 2 or any(set(head) - {"index"} for head in lines[::2]):
                raise _bad("msearch wants a header and a body by turns")
            return {"responses": [self.search(parts[0], body) for body in lines[1::2]]}
        body = json.loads(raw) if raw else {}
        if last == "_search":
            return self.search(parts[0], body)
        if last == "_mget":
            return self.mget(parts[0], body, query)
        if last == "_aliases" and method == "POST":
            return self.move(body)
        if parts[0] == "_alias" or (len(parts) == 2 and parts[0] == "_alias"):
            return self.alias(method, parts[1])
        if last == "_mapping":
            return {n: {"mappings": self.indices[n]["mappings"]} for n in self.names(parts[0])}
        if "_stats" in parts:
            size = sum(
                len(json.dumps(d)) for n in self.names(parts[0]) for d in self.docs(n).values()
            )
            return {"_all": {"primaries": {"store": {"size_in_bytes": size}}}}
        if len(parts) == 1 and method == "PUT":
            return self.create(parts[0], body)
        if len(parts) == 1 and method == "DELETE":
            if parts[0] not in self.indices and query.get("ignore_unavailable") != "true":
                raise Refused(404, "index_not_found_exception", f"no such index [{parts[0]}]")
            self.indices.pop(parts[0], None)
            return {"acknowledged": True}
        raise _bad(f"unknown request {method} {path}")

    def names(self, name: str) -> list[str]:
        found = sorted(self.aliases.get(name, set())) or [n for n in self.indices if n == name]
        if not found:
            raise Refused(404, "index_not_found_exception", f"no such index [{name}]")
        return found

    def docs(self, name: str) -> dict[str, Body]:
        return self.indices[name]["docs"]

    def create(self, name: str, body: Body) -> Body:
        if name in self.indices:
            raise Refused(400, "resource_already_exists_exception", f"index [{name}] exists")
        if set(body) - {"settings", "mappings", "aliases"}:
            raise _bad(f"unknown keys {sorted(body)}")
        mappings = body["mappings"]
        for field, rule in mappings["properties"].items():
            if rule["type"] not in TYPES:
                raise Refused(400, "mapper_parsing_exception", f"No handler for type on [{field}]")
            if rule["type"] == "knn_vector":
                if body["settings"]["index"].get("knn") is not True:
                    raise _bad("knn_vector needs index.knn")
                method = rule["method"]
                if method["name"] != "hnsw" or method["engine"] not in ("lucene", "faiss"):
                    raise _bad("unknown method")
                if method["space_type"] != "cosinesimil" or not 1 <= rule["dimension"] <= 16_000:
                    raise _bad("unknown space, or too many dimensions")
        self.indices[name] = {"mappings": mappings, "docs": {}}
        for alias in body.get("aliases", {}):
            self.aliases.setdefault(alias, set()).add(name)
        return {"acknowledged": True, "index": name}

    def alias(self, method: str, name: str) -> Any:
        if not self.aliases.get(name):
            raise Refused(404, "aliases_not_found_exception", f"alias [{name}] missing")
        return {index: {"aliases": {name: {}}} for index in self.aliases[name]}

    def move(self, body: Body) -> Body:
        for action in body["actions"]:
            ((what, told),) = action.items()
            if told["index"] not in self.indices:
                raise Refused(404, "index_not_found_exception", f"no such index [{told['index']}]")
            if what == "add":
                self.aliases.setdefault(told["alias"], set()).add(told["index"])
            elif what == "remove_index":
                del self.indices[told["index"]]
                for members in self.aliases.values():
                    members.discard(told["index"])
            else:
                raise _bad(f"unknown action {what}")
        return {"acknowledged": True}

    def bulk(self, name: str, lines: list[Body], query: dict[str, str]) -> Body:
        if query.get("refresh") not in (None, "true", "false", "wait_for"):
            raise _bad("refresh is true, false or wait_for")
        (target,) = self.names(name)
        items: list[Body] = []
        position = 0
        while position < len(lines):
            ((what, told),) = lines[position].items()
            position += 1
            if what == "index":
                item = self.put(target, told["_id"], lines[position])
                position += 1
            elif what == "delete":
                there = self.docs(target).pop(told["_id"], None) is not None
                item = {"_id": told["_id"], "status": 200 if there else 404}
            else:
                raise _bad(f"Malformed action/metadata line: {what}")
            items.append({what: item})
        return {"errors": any("error" in next(iter(i.values())) for i in items), "items": items}

    def put(self, name: str, key: str, body: Body) -> Body:
        rules = self.indices[name]["mappings"]["properties"]
        reason = next((f"[{f}] is not mapped" for f in body if f not in rules), "")
        if len(key.encode()) > 512:
            reason = "id is too long"
        for field, value in body.items():
            kind = rules.get(field, {}).get("type")
            if kind == "long" and not isinstance(value, int):
                reason = f"failed to parse field [{field}] of type [long]"
            if kind == "knn_vector" and (len(value) != rules[field]["dimension"] or not any(value)):
                reason = f"Vector dimension mismatch or zero vector in [{field}]"
        if reason:
            self.violations.append(reason)
            error = {"type": "mapper_parsing_exception", "reason": reason}
            return {"_id": key, "status": 400, "error": error}
        status = 200 if key in self.docs(name) else 201
        self.docs(name)[key] = body
        return {"_id": key, "status": status}

    def mget(self, name: str, body: Body, query: dict[str, str]) -> Body:
        (target,) = self.names(name)
        if not isinstance(body.get("ids"), list) or not body["ids"]:
            raise _bad("no documents to get")
        chosen = query.get("_source_includes", "").split(",")
        docs = []
        for key in body["ids"]:
            kept = self.docs(target).get(key)
            found: Body = {"_id": key, "found": kept is not None}
            if kept is not None:
                found["_source"] = {f: v for f, v in kept.items() if f in chosen}
            docs.append(found)
        return {"docs": docs}

    def search(self, name: str, body: Body) -> Body:
        known = {"size", "_source", "query", "sort", "track_total_hits", "aggs", "search_after"}
        if set(body) - known:
            raise Refused(400, "parsing_exception", f"unknown key {sorted(set(body) - known)}")
        (target,) = self.names(name)
        docs = self.docs(target)
        scored = Scorer(self.indices[target]).scores(body.get("query", {"match_all": {}}))
        hits = [{"_id": k, "_score": s, "_source": docs[k]} for k, s in scored.items()]
        order = body.get("sort", [{"_score": "desc"}])
        for one in reversed(order):
            ((field, way),) = one.items()
            hits.sort(key=lambda hit: _value(hit, field), reverse=way == "desc")
        if "search_after" in body:
            assert len(order) == 1
            field = next(iter(order[0]))
            hits = [hit for hit in hits if _value(hit, field) > body["search_after"][0]]
        answer: Body = {"hits": {"total": {"value": len(hits), "relation": "eq"}, "hits": []}}
        for hit in hits[: body.get("size", 10)]:
            chosen = body.get("_source", {})
            kept = {
                field: value
                for field, value in hit["_source"].items()
                if field not in chosen.get("excludes", ())
                and field in chosen.get("includes", (field,))
            }
            ends = [_value(hit, next(iter(one))) for one in order]
            answer["hits"]["hits"].append({**hit, "_source": kept, "sort": ends})
        if "aggs" in body:
            answer["aggregations"] = {
                key: _aggregate(rule, [hit["_source"] for hit in hits])
                for key, rule in body["aggs"].items()
            }
        return answer


class Scorer:
    """Evaluates a query over the documents of one index: which match, and how well."""

    def __init__(self, index: Body) -> None:
        self.docs, self.rules = index["docs"], index["mappings"]["properties"]

    def scores(self, query: Body) -> dict[str, float]:
        if len(query) != 1:
            raise Refused(400, "parsing_exception", f"a query has one key, not {sorted(query)}")
        ((kind, rule),) = query.items()
        if kind == "match_all":
            return dict.fromkeys(self.docs, 1.0)
        if kind == "bool":
            return self.all_of(rule)
        if kind == "knn":
            return self.nearest(rule)
        ((field, wanted),) = rule.items()
        if field not in self.rules:
            raise Refused(400, "query_shard_exception", f"no field {field}")
        if kind == "terms":
            return {k: 1.0 for k, d in self.docs.items() if set(_list(d[field])) & set(wanted)}
        if kind == "range":
            return {k: 1.0 for k, d in self.docs.items() if _in_range(d[field], wanted)}
        if kind == "match" and self.rules[field].get("analyzer") == "whitespace":
            return self.bm25(field, wanted["query"].split())
        raise Refused(400, "parsing_exception", f"unknown query [{kind}]")

    def all_of(self, rule: Body) -> dict[str, float]:
        if set(rule) - {"must", "filter"}:
            raise Refused(400, "parsing_exception", f"[bool] does not support {sorted(rule)}")
        allowed = set(self.docs)
        for one in rule.get("filter", []):
            allowed &= self.scores(one).keys()
        found = dict.fromkeys(allowed, 0.0)
        for one in rule.get("must", []):
            scored = self.scores(one)
            found = {key: found[key] + scored[key] for key in found.keys() & scored.keys()}
        return found

    def nearest(self, rule: Body) -> dict[str, float]:
        ((field, asked),) = rule.items()
        if self.rules[field]["type"] != "knn_vector" or set(asked) - {"vector", "k", "filter"}:
            raise Refused(400, "parsing_exception", f"[knn] does not support {sorted(asked)}")
        if len(asked["vector"]) != self.rules[field]["dimension"]:
            raise _bad("Query vector has invalid dimension")
        if not 1 <= asked["k"] <= 10_000:
            raise _bad("[knn] requires k")
        vector = np.array(asked["vector"])
        allowed = self.scores(asked["filter"]) if "filter" in asked else dict.fromkeys(self.docs)
        similar = {}
        for key in allowed:
            if field in self.docs[key]:
                other = np.array(self.docs[key][field])
                cosine = vector @ other / (np.linalg.norm(vector) * np.linalg.norm(other))
                similar[key] = (1 + float(cosine)) / 2
        best = sorted(similar, key=lambda key: (-similar[key], key))[: asked["k"]]
        return {key: similar[key] for key in best}

    def bm25(self, field: str, wanted: list[str]) -> dict[str, float]:
        counts = {key: Counter(doc[field].split()) for key, doc in self.docs.items()}
        mean = sum(map(Counter.total, counts.values())) / max(len(counts), 1)
        scores: dict[str, float] = {}
        for word in wanted:
            holding = [key for key, count in counts.items() if count[word]]
            rarity = math.log(1 + (len(counts) - len(holding) + 0.5) / (len(holding) + 0.5))
            for key in holding:
                often = counts[key][word]
                norm = 1.2 * (0.25 + 0.75 * counts[key].total() / mean)
                scores[key] = scores.get(key, 0.0) + rarity * often * 2.2 / (often + norm)
        return scores


def _value(hit: Body, field: str) -> Any:
    return hit["_score"] if field == "_score" else hit["_source"][field]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _in_range(value: int, bounds: Body) -> bool:
    if set(bounds) - {"lte", "lt", "gte", "gt"}:
        raise Refused(400, "parsing_exception", f"[range] does not support {sorted(bounds)}")
    return (
        value <= bounds.get("lte", value)
        and value >= bounds.get("gte", value)
        and ("lt" not in bounds or value < bounds["lt"])
    )


def _aggregate(rule: Body, docs: list[Body]) -> Body:
    ((kind, told),) = rule.items()
    values = [value for doc in docs for value in _list(doc[told["field"]])]
    if kind == "terms":
        pairs = Counter(values).most_common(told.get("size", 10))
        return {"buckets": [{"key": key, "doc_count": number} for key, number in pairs]}
    return {"value": ({"min": min, "max": max}[kind](values)) if values else None}


def _lines(raw: bytes) -> list[Body]:
    if not raw.endswith(b"\n"):
        raise _bad("The bulk request must be terminated by a newline [\\n]")
    return [json.loads(line) for line in raw.splitlines()]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


def _handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def respond(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            where = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(where.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            with cluster.lock:
                cluster.requests.append((self.command, where.path, headers))
                status, told = self.outcome(where.path, query, raw)
            content = b"" if self.command == "HEAD" else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def outcome(self, path: str, query: dict[str, str], raw: bytes) -> tuple[int, Any]:
            if cluster.faults:
                status = cluster.faults.pop(0)
                return status, {"error": {"type": "scripted", "reason": "scripted"}}
            try:
                return 200, cluster.answer(self.command, path, query, raw)
            except Refused as refused:
                if refused.status == 400:
                    cluster.violations.append(str(refused))
                told = {"type": refused.kind, "reason": str(refused)}
                return refused.status, {"error": told, "status": refused.status}

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = respond

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def opensearch_stand_in() -> Iterator[tuple[str, Cluster]]:
    """(URL, cluster) for as long as the block lasts; AssertionError for what it would refuse."""
    cluster = Cluster()
    server = _Server(("127.0.0.1", 0), _handler(cluster))
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    ).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", cluster
    finally:
        server.shutdown()
        server.server_close()
    assert not cluster.violations, cluster.violations
