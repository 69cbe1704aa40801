"""Settings: where a value comes from, and what a wrong one is told."""

from pathlib import Path

import pytest

from advisor.settings import SpendingSettings, explain_settings, known_keys, load_settings
from tools.errors import BadInput


def written(folder: Path, text: str) -> Path:
    path = folder / "advisor.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_are_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None, {})
    assert settings.watchlist == ("SPY", "QQQ", "IWM", "NVDA", "TSLA")
    assert settings.stdev.mr_arm_z == 1.2
    assert settings.risk.max_symbol_exposure == 10_000
    assert settings.account.start_equity == 100_000


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    path = written(tmp_path, "[risk]\nmax_positions = 4\nmax_trades_per_day = 20\n")
    settings = load_settings(path, {"ADVISOR_RISK__MAX_POSITIONS": "5"})
    assert settings.risk.max_positions == 5
    assert settings.risk.max_trades_per_day == 20
    sources = {
        key: source
        for key, _, source in explain_settings(path, {"ADVISOR_RISK__MAX_POSITIONS": "5"})
    }
    assert sources["risk.max_positions"] == "ADVISOR_RISK__MAX_POSITIONS"
    assert sources["risk.max_trades_per_day"] == str(path)
    assert sources["risk.max_daily_loss"] == "default"


def test_a_cap_can_be_lifted_with_inf(tmp_path: Path) -> None:
    path = written(tmp_path, "[risk]\nmax_symbol_exposure = inf\n")
    assert load_settings(path, {}).risk.max_symbol_exposure == float("inf")


def test_a_watchlist_from_the_environment_is_split_at_commas() -> None:
    settings = load_settings(None, {"ADVISOR_WATCHLIST": "SPY,QQQ"})
    assert settings.watchlist == ("SPY", "QQQ")
    assert load_settings(None, {"ADVISOR_WATCHLIST": "SPY"}).watchlist == ("SPY",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[risk]\nmax_positons = 4\n", ["advisor.toml", "did you mean risk.max_positions"]),
        ("[rsk]\nmax_positions = 4\n", ["rsk.max_positions", "did you mean risk.max_positions"]),
        ("colour = 'blue'\n", ["colour", "is not a setting"]),
        ("[risk]\nmax_risk_per_trade = 9.0\n", ["max_risk_per_trade is 9.0", "[0.1, 5]"]),
        ("[risk]\nmax_position = 30\n", ["max_position is 30", "25"]),
        ("[stdev]\nwindow = 'long'\n", ["stdev.window", "'long'"]),
        ("[stdev]\nwindow = 30.7\n", ["window is 30.7", "whole number"]),
        ("[stdev]\nentry_from = 900\n", ["entry_from is 900, after entry_until 720"]),
        ("[risk]\nmax_positions = 0.5\n", ["max_positions is 0.5", "whole number"]),
        ("[stdev]\nminimum_closes = 500\n", ["minimum_closes is 500", "[2, 120]"]),
        ("[analysis]\ninterval_minutes = 2\n", ["analysis.interval_minutes", "2"]),
        ("[validation]\non_abstain = 'panic'\n", ["validation.on_abstain", "'panic'"]),
        ("watchlist = 3\n", ["watchlist", "3"]),
        ("risk = 3\n", ["risk is a group of settings", "3", "[risk]"]),
        ("[risk\n", ["advisor.toml", "not valid TOML"]),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_key_and_value(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    with pytest.raises(BadInput) as caught:
        load_settings(written(tmp_path, text), {})
    for word in words:
        assert word in str(caught.value)


def test_a_misspelt_variable_is_an_error_that_names_it() -> None:
    with pytest.raises(BadInput, match=r"ADVISOR_RISK__MAX_POSITON: .* did you mean"):
        load_settings(None, {"ADVISOR_RISK__MAX_POSITON": "5"})


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.toml does not exist"):
        load_settings(tmp_path / "nowhere.toml", {})
    with pytest.raises(BadInput, match=r"nowhere\.toml does not exist"):
        load_settings(None, {"ADVISOR_CONFIG": str(tmp_path / "nowhere.toml")})


def test_the_hash_follows_the_values_and_nothing_else(tmp_path: Path) -> None:
    base = load_settings(None, {}).config_hash()
    same = load_settings(written(tmp_path, "[risk]\nmax_positions = 3\n"), {}).config_hash()
    other = load_settings(written(tmp_path, "[risk]\nmax_positions = 4\n"), {}).config_hash()
    assert base == same != other


def test_every_key_can_be_set_by_its_own_variable() -> None:
    values = {key: value for key, value, _ in explain_settings(None, {})}
    assert set(values) == set(known_keys())
    for key, value in values.items():
        if value is None or isinstance(value, dict):
            continue
        variable = "ADVISOR_" + key.upper().replace(".", "__")
        text = ",".join(value) if isinstance(value, list) else str(value)
        again = {k: v for k, v, _ in explain_settings(None, {variable: text})}
        assert again == values, variable


def test_what_changes_no_decision_changes_no_identity(tmp_path: Path) -> None:
    plain = load_settings(None, {})
    beside = load_settings(
        None, {"ADVISOR_SCHEDULE__PREMARKET": "date", "ADVISOR_CHECKPOINTS__KEEP_DAYS": "3"}
    )
    other = load_settings(None, {"ADVISOR_VALIDATION__DEADLINE_SECONDS": "3"})
    assert beside.config_hash() == plain.config_hash() != other.config_hash()


def test_a_password_does_not_belong_in_a_setting() -> None:
    url = "postgresql://user:hidden@host/advisor"
    with pytest.raises(BadInput, match="PGPASSWORD") as raised:
        load_settings(None, {"ADVISOR_CHECKPOINTS__URL": url})
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("url", ["postgresql://me:hidden@host/advisor", "mysql://hidden/x"])
def test_what_models_cost_is_counted_in_postgresql_without_a_password(url: str) -> None:
    with pytest.raises(BadInput, match=r"spending\.url|ADVISOR_SPENDING__URL"):
        load_settings(None, {"ADVISOR_SPENDING__URL": url})
    shared = load_settings(None, {"ADVISOR_SPENDING__URL": "postgresql://me@host/advisor"})
    assert shared.config_hash() == load_settings(None, {}).config_hash()


def test_spending_is_kept_for_the_user_and_not_for_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert SpendingSettings().place() == tmp_path / "state" / "advisor" / "spending.sqlite"
    for unusable in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", unusable)
        home = tmp_path / ".local" / "state"
        assert SpendingSettings().place() == home / "advisor" / "spending.sqlite"
    chosen = load_settings(None, {"ADVISOR_SPENDING__FILE": "~/mine.sqlite"})
    assert chosen.spending.place() == tmp_path / "mine.sqlite"
    assert chosen.config_hash() == load_settings(None, {}).config_hash()
