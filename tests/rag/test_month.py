"""A replayed month of real bars: its documents, and questions of reasons with known answers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from advisor.bootstrap import ReplayOptions
from advisor.market import MarketRequest, prepare_market
from advisor.replay import LEDGER, replay
from advisor.settings import Settings
from quant_core.calendar import NEW_YORK
from quant_core.types import Analysis, DailyBias, Decision, LaneDay, MarketContext, Trade
from rag.building import build, compare
from rag.documents import SHARED_LANE, Document
from rag.embedded import EmbeddedIndex
from rag.index import Filters
from rag.ledger import of_lane, of_ledger
from tools.embed.lexical import LexicalEmbedder
from tools.store import Entry, Store

pytestmark = pytest.mark.slow
ALWAYS = datetime(2100, 1, 1, tzinfo=UTC)
ADVISED = Filters(lanes=("advised",))


@dataclass(frozen=True)
class Month:
    store: Store
    index: EmbeddedIndex
    run: str


@pytest.fixture(scope="module")
def month(market_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    folder = tmp_path_factory.mktemp("january")
    request = MarketRequest(
        bars=(market_data / "bars/1min/us-2025-01",),
        daily=market_data / "bars/1day/us-2024-2026",
        first=date(2025, 1, 2),
        last=date(2025, 1, 31),
        symbols=("SPY", "AAPL", "MSFT", "NVDA", "AMD", "META", "AMZN", "INTC", "SNOW"),
    )
    settings = Settings()
    market = prepare_market(request, settings)
    result = replay(request, ReplayOptions(validation="rules"), settings, market, folder)
    with (
        Store.open(folder / LEDGER, read_only=True) as store,
        EmbeddedIndex.open(folder / "index.sqlite", LexicalEmbedder(), create=True) as index,
    ):
        done = build(index, store, as_of=ALWAYS)
        assert (done.added, done.changed, done.unchanged) == (done.documents, 0, 0)
        yield Month(store, index, result.run_id)


def entries(month: Month, kind: type) -> list[Entry]:
    return month.store.entries(month.run, "advised", kind, as_of=ALWAYS)


def at(moment: datetime, style: int) -> tuple[str, str]:
    """A date and a time as people write them, in one of several ways."""
    local = moment.astimezone(NEW_YORK)
    dates = (
        f"January {local.day}",
        f"{local:%Y-%m-%d}",
        f"{local.day} Jan",
        f"{local:%B} {local.day}th",
    )
    times = (f"{local:%H:%M}", f"{local:%I:%M %p}".lstrip("0"))
    return dates[style % 4], times[style % 2]


def questions(month: Month) -> list[tuple[str, set[str]]]:
    """(question, ids of the documents that answer it), from the ledger's rows alone."""
    asked: list[tuple[str, set[str]]] = []
    name = f"{month.run}/advised"
    for number, entry in enumerate(entries(month, Decision)):
        signal, plan = entry.record.signal, entry.record.plan
        when, clock = at(entry.known_at, number)
        if not plan.quantity:
            asked.append(
                (
                    f"Why did we skip {signal.symbol} at {clock} on {when}?",
                    {f"{name}/skip/{entry.seq}"},
                )
            )
        elif number % 5 == 0:
            asked.append(
                (f"Why did we buy or sell {signal.symbol} at {clock} on {when}, what did the "
                 "validator say about the signal?", {f"{name}/signal/{entry.seq}"})
            )  # fmt: skip
    for number, trade in enumerate(entries(month, Trade)):
        if number % 4 == 0:
            when, clock = at(trade.known_at, number)
            symbol = trade.record.symbol
            asked.append(
                (
                    f"Why was the {symbol} trade closed at {clock} on {when}?",
                    {f"{name}/trade/{trade.seq}"},
                )
            )
    for number, analysis in enumerate(entries(month, Analysis)):
        if number % 40 == 3:
            when, clock = at(analysis.known_at, number)
            asked.append(
                (f"What was the reasoning of the market analysis at {clock} on {when}?",
                 {f"{name}/analysis/{analysis.seq}"})
            )  # fmt: skip
    for day in entries(month, LaneDay)[4::3]:
        when = f"{day.record.date:%B} {day.record.date.day}"
        asked.append(
            (f"How did the day of {when} go, in summary?", {f"{name}/day/{day.record.date}"})
        )
    return asked


def test_reasons_are_found_among_the_first_five(month: Month) -> None:
    asked = questions(month)
    missed = [
        question
        for question, expected in asked
        if not expected
        & {hit.document.id for hit in month.index.search(question, as_of=ALWAYS, where=ADVISED)}
    ]
    assert len(asked) >= 80
    assert len(missed) <= 0.05 * len(asked), missed


def test_the_first_veto_of_a_day_is_found_without_its_time(month: Month) -> None:
    vetoed: dict[tuple[str, date], set[str]] = {}
    for entry in entries(month, Decision):
        verdict = entry.record.verdict
        if verdict is not None and verdict.ruling == "veto":
            day = entry.known_at.astimezone(NEW_YORK).date()
            key = (entry.record.signal.symbol, day)
            vetoed.setdefault(key, set()).add(f"{month.run}/advised/skip/{entry.seq}")
    assert len(vetoed) >= 5
    for (symbol, day), expected in vetoed.items():
        query = f"Why was the {symbol} signal vetoed on {day:%B} {day.day}?"
        found = month.index.search(query, as_of=ALWAYS, where=ADVISED)
        assert expected & {hit.document.id for hit in found}, query


def test_every_document_is_known_when_its_row_was_and_cites_it(month: Month) -> None:
    documents = {one.id: one for one in of_lane(month.store, month.run, "advised", as_of=ALWAYS)}
    for kind, word in ((Trade, "trade"), (Analysis, "analysis")):
        for entry in entries(month, kind):
            document = documents[f"{month.run}/advised/{word}/{entry.seq}"]
            assert document.known_at == entry.known_at
            assert f"{month.run}/advised/{entry.seq}" in document.cites
    for entry in entries(month, Trade):
        closed = documents[f"{month.run}/advised/trade/{entry.seq}"].known_at
        assert closed == entry.record.exit_time + timedelta(minutes=1)


def test_what_is_told_as_of_a_moment_never_changes_afterwards(month: Month) -> None:
    """Prefix invariance: building early and building late say the same of what was known early."""
    late = {one.id: one for one in of_ledger(month.store, as_of=ALWAYS)}
    for moment in (datetime(2025, 1, 15, 16, tzinfo=UTC), datetime(2025, 1, 17, 21, tzinfo=UTC)):
        early = {one.id: one for one in of_ledger(month.store, as_of=moment)}
        assert early == {name: one for name, one in late.items() if one.known_at <= moment}
        assert early


def test_the_bias_of_a_day_is_found_first_and_only_once_it_is_known(month: Month) -> None:
    """Said at 08:30 New York: a second before, the day's bias is found by no question."""
    biases = month.store.entries(month.run, SHARED_LANE, DailyBias, as_of=ALWAYS)
    assert len(biases) == 9 * 20
    for number, entry in enumerate(biases[4::7]):
        bias, known = entry.record, entry.known_at
        assert known.astimezone(NEW_YORK).time() == time(8, 30)
        when, _ = at(known, number)
        query, own = f"what was the bias for {bias.symbol} on {when}", _id(month, "bias", entry.seq)
        hit = month.index.search(query, as_of=known, where=ADVISED)[0].document
        assert hit.id == own
        assert hit.symbols == (bias.symbol,)
        assert hit.cites == (f"{month.run}/{SHARED_LANE}/{entry.seq}",)
        assert f"{bias.bias}, confidence {bias.confidence:.0f}" in hit.text
        assert bias.reasoning in hit.text
        early = known - timedelta(seconds=1)
        found = month.index.search(query, as_of=early, k=200, where=ADVISED)
        assert own not in {one.document.id for one in found}
        assert all(one.document.known_at <= early for one in found)


def test_the_context_of_the_market_is_found(month: Month) -> None:
    contexts = month.store.entries(month.run, SHARED_LANE, MarketContext, as_of=ALWAYS)
    assert len(contexts) == 20
    for entry in contexts[::3]:
        query = f"What was the market context before the open on {entry.record.date}?"
        found = month.index.search(query, as_of=ALWAYS, where=Filters(kinds=("context",)), k=1)
        assert found[0].document.id == _id(month, "context", entry.seq)
        assert entry.record.summary in found[0].document.text


def test_another_lane_shares_the_premarket_and_nothing_else(month: Month) -> None:
    query, kinds = "daily bias and skipped signals of NVDA", Counter[str]()
    for hit in month.index.search(
        query, as_of=ALWAYS, k=200, where=Filters(lanes=("baseline",), symbols=("NVDA",))
    ):
        kinds[hit.document.lane] += 1
    assert set(kinds) == {"baseline", SHARED_LANE}


def _id(month: Month, kind: str, seq: int) -> str:
    return f"{month.run}/{SHARED_LANE}/{kind}/{seq}"


def test_a_signal_does_not_tell_what_came_of_it(month: Month) -> None:
    signals = [
        one
        for one in of_lane(month.store, month.run, "advised", as_of=ALWAYS)
        if one.kind in ("signal", "skip")
    ]
    assert signals
    for document in signals:
        assert not any(word in document.text for word in ("profit", "loss of", "exit", "closed"))


def test_verification_finds_what_is_missing_stale_orphaned_and_damaged(month: Month) -> None:
    index, name = month.index, f"{month.run}/advised"
    assert compare(index, month.store, as_of=ALWAYS).intact
    documents = of_lane(month.store, month.run, "advised", as_of=ALWAYS)
    gone, changed = documents[0], documents[1]
    stray = Document(**{**_values(changed), "id": f"{name}/trade/999999"})
    index.delete([gone.id])
    index.upsert([Document(**{**_values(changed), "text": "rumours"}), stray])
    found = compare(index, month.store, as_of=ALWAYS)
    assert (found.missing, found.stale, found.orphaned) == ((gone.id,), (changed.id,), (stray.id,))
    done = build(index, month.store, as_of=ALWAYS)
    assert (done.added, done.changed, done.removed) == (1, 1, 1)
    assert compare(index, month.store, as_of=ALWAYS).intact


def _values(document: Document) -> dict[str, object]:
    return {name: getattr(document, name) for name in Document.__slots__ if name != "content_hash"}
