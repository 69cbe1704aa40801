"""Older schemas, damage, other processes, and a cluster that refuses."""

import sqlite3
import threading
from pathlib import Path

import pytest

from rag.embedded import EmbeddedIndex
from rag.opensearch import Access, OpenSearchIndex
from tests.rag.worlds import ALWAYS, SOME, document
from tests.stand_ins.opensearch import opensearch_stand_in
from tools.embed.lexical import LexicalEmbedder
from tools.errors import BadInput, NotConfigured, Transient

LEXICAL = LexicalEmbedder()


def made(path: Path) -> Path:
    with EmbeddedIndex.open(path, LEXICAL, create=True) as index:
        index.upsert(SOME)
    return path


def test_an_older_schema_is_refused_and_can_be_rebuilt(tmp_path: Path) -> None:
    path = made(tmp_path / "index.sqlite")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 0")
    connection.close()
    with pytest.raises(BadInput, match=r"older schema.*--rebuild"):
        EmbeddedIndex.open(path, LEXICAL)
    with EmbeddedIndex.open(path, LEXICAL, replacing=True) as index:
        index.rebuild(SOME[:2])
    with EmbeddedIndex.open(path, LEXICAL) as index:
        assert len(index.hashes()) == 2


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.sqlite"
    text.write_text("not a database, " * 100)
    with pytest.raises(BadInput, match="not an index"):
        EmbeddedIndex.open(text, LEXICAL)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE trades (id)")
    connection.close()
    with pytest.raises(BadInput, match="not an index"):
        EmbeddedIndex.open(other, LEXICAL, create=True, replacing=True)


def test_verify_finds_tampering(tmp_path: Path) -> None:
    path = made(tmp_path / "index.sqlite")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE documents SET text = 'rumours' WHERE number = 1")
        connection.execute("UPDATE documents SET vector = x'00' WHERE number = 2")
    connection.close()
    with EmbeddedIndex.open(path, LEXICAL) as index:
        problems = index.verify()
    assert [SOME[0].id in problems[0], SOME[1].id in problems[1]] == [True, True]
    assert len(problems) == 2


def test_a_batch_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    class Dying(LexicalEmbedder):
        def embed(self, texts):  # type: ignore[no-untyped-def]
            if any("bad" in text for text in texts):
                raise Transient("cut")
            return super().embed(texts)

    path = made(tmp_path / "index.sqlite")
    with EmbeddedIndex.open(path, Dying()) as index:
        for write in (index.upsert, index.rebuild):
            with pytest.raises(Transient):
                write([document(20, "good"), document(21, "bad")])
            assert set(index.hashes()) == {one.id for one in SOME}
        assert index.search("spread NVDA", as_of=ALWAYS)


def test_readers_see_a_whole_state_while_another_process_writes(tmp_path: Path) -> None:
    path = made(tmp_path / "index.sqlite")
    errors: list[BaseException] = []
    done = threading.Event()

    def write() -> None:
        with EmbeddedIndex.open(path, LexicalEmbedder()) as writer:
            for number in range(30):
                writer.upsert([document(100 + number, f"NVDA skipped again {number}")])
                writer.delete([f"r1/advised/skip/{99 + number}"])
        done.set()

    with EmbeddedIndex.open(path, LEXICAL) as index:

        def read() -> None:
            try:
                while not done.is_set():
                    for hit in index.search("NVDA skipped", as_of=ALWAYS, k=50):
                        assert hit.document.content_hash
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=read) for _ in range(2)]
        threads.append(threading.Thread(target=write))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not errors
        assert "r1/advised/skip/129" in index.hashes()
        assert index.verify() == []


def test_a_cluster_that_is_away_busy_or_locked_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="cannot be reached"):
        OpenSearchIndex.open(
            Access(url="http://127.0.0.1:9", alias="documents", timeout=1), LEXICAL
        )
    with opensearch_stand_in() as (url, cluster):
        access = Access(url=url, alias="documents", timeout=5)
        index = OpenSearchIndex.open(access, LEXICAL, create=True)
        index.upsert(SOME)
        cluster.faults = [403]
        with pytest.raises(NotConfigured, match="OPENSEARCH_USERNAME"):
            index.search("NVDA", as_of=ALWAYS)
        cluster.faults = [500]
        with pytest.raises(Transient, match="try again"):
            index.search("NVDA", as_of=ALWAYS)
        index.close()


def test_rebuilding_moves_the_alias_and_removes_the_old_index() -> None:
    with opensearch_stand_in() as (url, cluster):
        index = OpenSearchIndex.open(Access(url=url, alias="documents"), LEXICAL, create=True)
        index.rebuild(SOME)
        index.close()
        assert list(cluster.indices) == ["documents-000002"]
        assert cluster.aliases["documents"] == {"documents-000002"}


def test_requests_to_amazon_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-test-0000000000")
    with opensearch_stand_in() as (url, cluster):
        access = Access(url=url, alias="documents", aws_region="eu-west-1")
        OpenSearchIndex.open(access, LEXICAL, create=True).close()
        signed = [headers["authorization"] for _, _, headers in cluster.requests]
    assert signed
    assert all("AWS4-HMAC-SHA256" in one and "/eu-west-1/es/" in one for one in signed)


def test_a_password_is_never_shown() -> None:
    access = Access(url="https://u:secret@h:9200", alias="a", password="secret")
    assert "secret" not in OpenSearchIndex(None, access, LEXICAL).place
