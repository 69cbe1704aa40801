"""`advisor premarket` as its user meets it, by rules and with the real client over HTTP."""

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from advisor.cli import main
from quant_core.bars import RawBars
from quant_core.calendar import premarket_moment, xnys
from quant_core.synthetic import DEMO_SEED, synthetic_market
from quant_core.types import Status
from tests.stand_ins.anthropic import anthropic_stand_in
from tests.stand_ins.server import Request
from tests.stand_ins.steps import Fails, Says, Step
from tools.store import Store

SYMBOLS = ("SPY", "QQQ", "NVDA")
DAY = date(2026, 10, 14)
CALENDAR = xnys(2023, 2026)
MOMENT = premarket_moment(CALENDAR.on(DAY))  # type: ignore[arg-type]
MARKET = "market"
EVER = datetime(2100, 1, 1, tzinfo=UTC)
Advisor = Callable[..., tuple[int, str, str]]


@pytest.fixture
def advisor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Advisor:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["advisor", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as left:
            code = int(left.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Two weeks up to and with the session: what comes after its morning is a canary."""
    folder = tmp_path_factory.mktemp("bars")
    made = synthetic_market(SYMBOLS, date(2026, 9, 28), DAY, CALENDAR, DEMO_SEED)
    for kind, found in (("minutes", made.minutes), ("daily", made.daily)):
        (folder / kind).mkdir()
        for symbol, raw in found.items():
            pq.write_table(_table(raw), folder / kind / f"{symbol}.parquet")
    early = pa.table(
        {
            "symbol": ["SPY"] * 3,
            "timestamp": [MOMENT + timedelta(minutes=at) for at in (-30, -1, 0)],
            **{name: [500.0, 501.5, 777.0] for name in ("open", "high", "low", "close")},
            "volume": [10.0] * 3,
        }
    )
    pq.write_table(early, folder / "minutes" / "early.parquet")
    vix = pa.table(
        {
            "symbol": ["VIX"] * 3,
            "timestamp": [DAY - timedelta(days=2), DAY - timedelta(days=1), DAY],
            **{name: [15.0, 16.25, 77.0] for name in ("open", "high", "low", "close")},
            "volume": [0.0] * 3,
        }
    )
    pq.write_table(vix, folder / "daily" / "VIX.parquet")
    return [
        "--bars", folder / "minutes", "--daily", folder / "daily",
        "--symbols", ",".join(SYMBOLS),
    ]  # fmt: skip


def _table(raw: RawBars) -> pa.Table:
    names = ("open", "high", "low", "close", "volume")
    start = pa.array(raw.start.astype("datetime64[us]")).cast(pa.timestamp("us", "UTC"))
    return pa.table(
        {
            "symbol": [raw.symbol] * len(raw.start),
            "timestamp": start,
            **{name: np.ascontiguousarray(getattr(raw, name)) for name in names},
        }
    )


def news(folder: Path) -> Path:
    items = [
        ("known", -60, -60, "NVDA"),
        ("just now", 0, 0, "SPY"),
        ("CANARY later", 1, 1, "NVDA"),
        ("CANARY received later", -60, 1, "NVDA"),
        ("CANARY tomorrow", 1440, 1440, ""),
    ]
    path = folder / "news.jsonl"
    rows = [
        {
            "id": title, "title": f"Title {title}", "symbols": symbols, "source": "Wire",
            "published_at": (MOMENT + timedelta(minutes=published)).isoformat(),
            "received_at": (MOMENT + timedelta(minutes=received)).isoformat(),
        }
        for title, published, received, symbols in items
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def bias(symbol: str, **differs: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "bias": "bearish", "confidence": 61.0, "reasoning": "trend",
        "news_summary": "a line", "evidence": [f"{symbol}.htf_trend", "N77"], **differs,
    }  # fmt: skip


def answers(asked: Request) -> Step:
    """The model's part: biases first (one symbol left out), then the context."""
    if "Give the bias of every symbol" in json.dumps(asked.body):
        return Says(text=json.dumps({"biases": [bias("SPY"), bias("NVDA")]}))
    context = {
        "bias": "bearish", "volatility": "normal", "confidence": 58.0, "summary": "Careful.",
        "evidence": ["VIX.close"],
    }  # fmt: skip
    return Says(text=json.dumps(context))


def setting(url: str) -> list[object]:
    Path("advisor.toml").write_text(f'[llm]\nanthropic_base_url = "{url}"\nretries = 0\n')
    return ["--config", "advisor.toml"]


def of_run(folder: str, read: Callable[[Store, str], Any]) -> Any:
    with Store.open(Path(folder) / "ledger.sqlite", read_only=True) as store:
        (run,) = store.runs()
        assert store.verify_chain(run.run_id).intact
        return read(store, run.run_id)


def test_by_rules_everything_known_is_kept_and_nothing_later(
    advisor: Advisor, bars: list[object], tmp_path: Path
) -> None:
    words = ["premarket", *bars, "--date", DAY, "--news", news(tmp_path), "--out", "pm"]
    code, out, err = advisor(*words, "--json")
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert "CANARY" not in out
    assert said["as_of"] == "2026-10-14T12:30:00+00:00"
    assert [one["symbol"] for one in said["biases"]] == list(SYMBOLS)
    spy, qqq, nvda = said["biases"]
    assert (spy["premarket_price"], spy["premarket_price_at"]) == (501.5, said["as_of"])
    assert (qqq["premarket_price"], qqq["price_note"]) == (
        None,
        "no bar between 04:00 and 08:30 New York",
    )
    assert nvda["news_summary"] == "1 item; latest 10-14 07:30 Title known"
    assert (said["context"]["vix"], said["context"]["vix_date"]) == (16.25, "2026-10-13")
    assert said["news"]["files"] == {"read": 5, "accepted": 5, "rejected": {}}
    kept = of_run("pm", lambda store, run: store.news(run, MARKET, as_of=EVER))
    assert [one.id for one in kept] == ["known", "just now"]
    before = MOMENT - timedelta(seconds=1)
    assert of_run("pm", lambda store, run: store.daily_biases(run, MARKET, as_of=before)) == []

    code, _, err = advisor(*words)
    assert code == 0
    assert "Premarket of Wednesday 2026-10-14, as of 08:30 New York" in err
    assert "VIX 16.25 at the close of 2026-10-13" in err
    assert "no premarket price of QQQ: no bar between 04:00 and 08:30" in err
    assert "It was prepared earlier" in err
    assert "CANARY" not in err


def test_a_model_is_recorded_and_replayed_to_the_same_ledger_without_a_call(
    advisor: Advisor, bars: list[object], tmp_path: Path
) -> None:
    words = ["premarket", *bars, "--date", DAY, "--news", news(tmp_path), "--analyst", "model"]
    with anthropic_stand_in(answers) as server:
        words += setting(server.url)
        code, out, err = advisor(*words, "--out", "live", "--json")
        assert code == 0
        assert "ask biases: the model answered" in err
        live = json.loads(out)
        shown = "".join(json.dumps(request.body) for request in server.requests)
        assert "Title known" in shown
        assert "CANARY" not in shown
        assert "777" not in shown
        assert len(server.requests) == 2
        assert advisor(*words, "--out", "live")[0] == 0
        assert len(server.requests) == 2, "the same morning is not asked about twice"
    recorded = next(Path("live").glob("recordings-*.sqlite"))
    again = [*words, "--llm", "replay", "--recordings", recorded, "--out", "again", "--json"]
    code, out, _ = advisor(*again)
    assert code == 0
    replayed = json.loads(out)
    assert replayed["chain_heads"] == live["chain_heads"]
    assert (replayed["calls"], replayed["biases"]) == (live["calls"], live["biases"])

    spy, qqq, _ = live["biases"]
    assert (spy["bias"], spy["status"], spy["evidence"]) == ("bearish", "OK", ["SPY.htf_trend"])
    assert (qqq["analyst"], qqq["status"]) == ("rules.v1", "DEGRADED")
    assert "'N77' was not given" in [one["detail"] for one in live["findings"]]
    calls = of_run("live", lambda store, run: store.llm_calls(run, MARKET, as_of=MOMENT))
    assert [kept.call.prompt.id for kept in calls] == ["premarket_bias", "market_context"]
    assert "Title known" in calls[0].call.prompt.text
    assert json.loads(calls[0].call.attempts[0].response)["biases"][0]["symbol"] == "SPY"
    assert [kept.call.tokens_in for kept in calls] == [100, 100]


def test_a_model_that_fails_leaves_the_rules_and_says_so(
    advisor: Advisor, bars: list[object]
) -> None:
    with anthropic_stand_in(lambda asked: Fails(status=500)) as server:
        words = ["premarket", *bars, "--date", DAY, "--analyst", "model", "--out", "pm"]
        code, _, err = advisor(*words, *setting(server.url))
    assert code == 0
    assert "DEGRADED, the rules speak: unreachable" in err
    biases = of_run("pm", lambda store, run: store.daily_biases(run, MARKET, as_of=MOMENT))
    assert {one.status for one in biases} == {Status.DEGRADED}
    calls = of_run("pm", lambda store, run: store.llm_calls(run, MARKET, as_of=MOMENT))
    assert [str(kept.call.outcome) for kept in calls] == ["unreachable"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--date", "2026-11-26"], 2, "Thursday, 2026-11-26 is no session .* Friday, 2026-11-27"),
        (["--date", "2026-10-17"], 2, "Saturday, 2026-10-17 is no session .* Monday, 2026-10-19"),
        (["--date", DAY, "--at", "10:00"], 2, "--at 10:00 is not before the open"),
        (["--date", DAY, "--at", "03:30"], 2, "--at 03:30 is not before the open"),
        (["--date", DAY, "--symbols", "SPY,ZZZ"], 3, "there are no bars of ZZZ"),
        (["--date", DAY, "--news", "none.csv"], 2, "none.csv does not exist"),
        (["--date", DAY, "--news", "none.sqlite"], 3, "there is no ledger at none.sqlite"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    advisor: Advisor, bars: list[object], words: list[object], code: int, told: str
) -> None:
    found, _, err = advisor("premarket", *bars, *words, "--out", "pm")
    assert found == code
    assert re.search(told, " ".join(err.split()))


def test_malformed_and_empty_news(advisor: Advisor, bars: list[object], tmp_path: Path) -> None:
    words = ["premarket", *bars, "--date", DAY, "--out", "pm", "--news"]
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    code, _, err = advisor(*words, empty)
    assert code == 0
    assert "News known by then, since 2026-10-13 08:30 New York: 0" in err
    good = news(tmp_path)
    bad = tmp_path / "bad.jsonl"
    bad.write_text(good.read_text() + '{"title": "no time"}\n{\n')
    code, _, err = advisor(*words, bad)
    assert code == 0
    assert "2 of 7 rows of news were refused: 1 no_published_at, 1 not_a_row" in err
    hopeless = tmp_path / "hopeless.jsonl"
    hopeless.write_text("{\n[]\n")
    code, _, err = advisor(*words, hopeless)
    assert code == 3
    assert "all 2 rows of news were refused (2 not_a_row)" in err


def test_kept_news_is_a_source(advisor: Advisor, bars: list[object], tmp_path: Path) -> None:
    words = ["premarket", *bars, "--date", DAY, "--json"]
    first = json.loads(advisor(*words, "--news", news(tmp_path), "--out", "one")[1])
    second = json.loads(advisor(*words, "--news", "one", "--out", "two")[1])
    assert second["news"]["items"] == first["news"]["items"]
    assert second["chain_heads"] == first["chain_heads"]


def test_news_that_a_ledger_kept_later_is_not_known_earlier(
    advisor: Advisor, bars: list[object], tmp_path: Path
) -> None:
    words = ["premarket", *bars, "--date", DAY, "--json"]
    late = advisor(*words, "--at", "09:30", "--news", news(tmp_path), "--out", "late")[1]
    assert "CANARY later" in late
    early = advisor(*words, "--news", "late", "--out", "early")[1]
    assert "Title known" in early
    assert "CANARY" not in early


def test_asking_again_afresh_replaces_what_was_kept(advisor: Advisor, bars: list[object]) -> None:
    script = iter([Fails(status=500), *[None] * 2])
    with anthropic_stand_in(lambda asked: next(script) or answers(asked)) as server:
        words = ["premarket", *bars, "--date", DAY, "--analyst", "model", "--out", "pm"]
        words += setting(server.url)
        assert "DEGRADED" in advisor(*words)[2]
        code, _, err = advisor(*words, "--fresh")
    assert code == 0
    assert "DEGRADED, the rules speak" not in err
    contexts = of_run("pm", lambda store, run: store.market_contexts(run, MARKET, as_of=MOMENT))
    assert [one.status for one in contexts] == [Status.OK]


def test_a_budget_counts_what_earlier_mornings_cost(advisor: Advisor, bars: list[object]) -> None:
    def dear(asked: Request) -> Step:
        found = answers(asked)
        assert isinstance(found, Says)
        return Says(text=found.text, tokens=(20_000, 20_000))

    with anthropic_stand_in(dear) as server:
        words = ["premarket", *bars, "--analyst", "model", "--llm", "live", "--out", "pm"]
        words += setting(server.url)
        with Path("advisor.toml").open("a") as file:
            file.write("[llm_budget]\nusd_per_day = 1e6\ntokens_per_day = 110_000\n")
        assert advisor(*words, "--date", "2026-10-13")[0] == 0
        assert len(server.requests) == 2
        code, _, err = advisor(*words, "--date", DAY)
        assert code == 0
    assert len(server.requests) == 3
    assert "budget: " in " ".join(err.split())


def test_a_replays_folder_is_left_alone(advisor: Advisor, bars: list[object]) -> None:
    words = ["replay", *bars, "--from", DAY, "--to", DAY, "--analyst", "none", "--out", "replayed"]
    assert advisor(*words)[0] == 0
    assert advisor("ledger", "upgrade", "replayed")[0] == 0
    assert advisor("ledger", "upgrade", "nowhere")[0] == 3
    code, _, err = advisor("premarket", *bars, "--date", DAY, "--out", "replayed")
    assert code == 2
    assert "holds the ledger of a replay" in err


def test_real_bars_and_real_news_by_rules(advisor: Advisor, market_data: Path) -> None:
    code, out, _ = advisor(
        "premarket", "--bars", market_data / "bars" / "1min" / "us-2025-01", "--daily",
        market_data / "bars" / "1day" / "us-2024-2026", "--date", "2025-01-06", "--symbols",
        "AAPL,MSFT,SPY", "--news", market_data / "news" / "company_news_2025-01.parquet",
        "--out", "pm", "--json",
    )  # fmt: skip
    assert code == 0
    said = json.loads(out)
    prices = {one["symbol"]: one["premarket_price"] for one in said["biases"]}
    assert prices == {"AAPL": 244.25, "MSFT": 427.8, "SPY": None}
    assert (said["context"]["vix"], said["context"]["vix_date"]) == (16.13, "2025-01-03")
    assert said["news"]["since"] == "2025-01-03T21:00:00+00:00"
    published = [one["published_at"] for one in said["news"]["items"]]
    assert len(published) == 9
    assert max(published) <= said["as_of"]
