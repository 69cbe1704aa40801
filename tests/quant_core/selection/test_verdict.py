"""The verdict: degenerate sweeps, then noise, which must not pass, and an edge, which must."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from quant_core.selection import judge, sharpes

PASSES = "better than luck"
ERROR = 0.05


def noise(seed, sessions, columns):
    return np.random.Generator(np.random.PCG64(seed)).normal(0.0, 0.01, (sessions, columns))


def column(*returns):
    return np.array(returns)[:, None]


@pytest.mark.parametrize(
    ("matrix", "trades", "words"),
    [
        (np.zeros((0, 1)), None, "0 sessions, at least 5"),
        (column(0.01), None, "1 session, at least 5"),
        (np.zeros((20, 3)), None, "it made no trade"),
        (noise(0, 20, 3), 0, "it made no trade"),
        (noise(0, 20, 3), 1, "one trade says nothing"),
        (np.full((20, 1), 0.01), None, "do not vary"),
        (column(0.01, 0.02, -1.0, np.nan, np.nan), None, "account fell to nothing"),
    ],
)
def test_what_cannot_be_judged_is_said(matrix, trades, words):
    found = judge(matrix, 0, trades=trades)
    assert found.finding == "cannot be judged"
    assert words in found.headline
    assert found.evidence == ()


def test_one_combination_is_judged_without_what_needs_a_choice():
    found = judge(noise(1, 250, 1) + 0.004, 0)
    assert found.finding == PASSES
    assert found.of("overfitting_probability").passed is None
    assert "nothing to choose from" in found.of("walk_forward_sharpe").sentence
    assert "only combination tried" in found.sentences[1]


def test_a_lone_trade_among_many_sessions_is_luck():
    matrix = np.zeros((60, 4))
    matrix[10, 2] = 0.05
    assert judge(matrix, 2).finding == "not distinguishable from luck"


def test_few_sessions_never_prove_a_choice():
    found = judge(noise(2, 6, 5) + 0.05, 0)
    assert found.finding == "not distinguishable from luck"
    assert "too few" in found.of("overfitting_probability").sentence


def test_an_edge_among_noise_is_recognised():
    matrix = noise(3, 500, 30)
    matrix[:, 11] += 0.004
    found = judge(matrix, 11)
    assert found.finding == PASSES
    assert all(one.passed for one in found.evidence)
    assert found.of("deflated_sharpe").value > 0.95
    assert found.headline.startswith("Better than luck in these 2.0 years")


def test_a_plateau_of_equals_is_not_held_against_them():
    """Neighbours on a grid differ by chance only: their order means nothing, their gain does."""
    common = noise(4, 500, 1) + 0.003
    matrix = common + 0.05 * noise(5, 500, 25)
    assert judge(matrix, int(np.argmax(sharpes(matrix)))).finding == PASSES


def test_a_steady_loss_is_called_a_loss():
    found = judge(noise(6, 250, 4) - 0.005, 1)
    assert found.finding == "loses"


def test_the_best_of_noise_is_luck_and_the_words_say_so():
    matrix = noise(7, 250, 100)
    best = int(np.argmax(sharpes(matrix)))
    found = judge(matrix, best)
    assert found.finding == "not distinguishable from luck"
    assert found.sentences[0] == (
        "Not distinguishable from luck: the chosen one of 100 combinations on 250 sessions."
    )
    assert (
        f"Sharpe {sharpes(matrix)[best]:.2f} where the best of 100 worthless" in found.sentences[1]
    )
    assert len(found.sentences) == 5
    assert judge(matrix, best) == found


def test_ruined_combinations_count_as_tries():
    matrix = noise(8, 250, 20)
    matrix[:, 3] += 0.003
    ruined = np.c_[matrix, np.full((250, 80), np.nan)]
    alone, among = judge(matrix, 3), judge(ruined, 3)
    assert among.of("deflated_sharpe").value < alone.of("deflated_sharpe").value
    assert "best of 100 worthless" in among.of("deflated_sharpe").sentence


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="chosen is 3; there are 3"):
        judge(noise(9, 20, 3), 3)
    with pytest.raises(KeyError):
        judge(noise(9, 20, 3), 0).of("astrology")


def random_entries(closes, combinations, random):
    """Daily returns of strategies that enter and leave at random, on a random side, once a day."""
    sessions, minutes = closes.shape
    shape = (sessions, combinations)
    entry = random.integers(0, minutes - 1, shape)
    leave = entry + 1 + random.integers(0, minutes - 1 - entry)
    side = random.choice([-1.0, 1.0], shape)
    rows = np.arange(sessions)[:, None]
    return side * (closes[rows, leave] / closes[rows, entry] - 1.0)


def session_closes(market_data):
    """Closes of whole sessions of SPY, shape (sessions, 390)."""
    table = pq.read_table(
        market_data / "bars" / "1min" / "us-2024", columns=["timestamp", "close"]
    ).to_pandas()
    days = [group["close"].to_numpy() for _, group in table.groupby(table["timestamp"].dt.date)]
    return np.array([day[:390] for day in days if len(day) >= 390])


@pytest.mark.slow
@pytest.mark.parametrize(("combinations", "alike"), [(1, 0.0), (20, 0.0), (20, 0.9), (100, 0.5)])
def test_random_entries_on_real_bars_pass_no_more_often_than_stated(
    market_data, combinations, alike
):
    """The best of many random strategies, independent or alike, in 300 sweeps each."""
    closes = session_closes(market_data)
    assert len(closes) > 150
    random = np.random.Generator(np.random.PCG64(20_250_102))
    passed = 0
    for _ in range(300):
        matrix = random_entries(closes, combinations, random)
        if alike:
            common = random_entries(closes, 1, random)
            matrix = np.sqrt(alike) * common + np.sqrt(1.0 - alike) * matrix
        best = int(np.argmax(sharpes(matrix)))
        passed += judge(matrix, best, blocks=8).finding == PASSES
    # 5 % of 300 is 15; more than 23 would happen to an error of 5 % in 2 of 100 such tests.
    assert passed <= 23
