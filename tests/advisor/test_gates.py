"""Live money needs three gates at once; each closed one is named with what to do."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from advisor.gates import ACCEPTED, VARIABLE, open_gates
from tools.broker import BrokerAccount
from tools.errors import NotConfigured

NOW = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)  # 18:00 New York
ACCOUNT = BrokerAccount(
    number="123456789", equity=20_000.0, cash=20_000.0, buying_power=40_000.0, shorting=True,
    blocked="",
)  # fmt: skip
ACCEPTS = {VARIABLE: ACCEPTED}
APPROVAL = """
account = "123456789"
approved_by = "Ann Example"
expires = 2026-12-31
max_equity = 25000
"""


@pytest.fixture
def approval(tmp_path: Path) -> Path:
    file = tmp_path / "approval.toml"
    file.write_text(APPROVAL)
    file.chmod(0o600)
    return file


def refusal(
    approval: Path, *, mode: str = "live", environment: dict[str, str] | None = None,
    account: BrokerAccount = ACCOUNT, now: datetime = NOW,
) -> str:  # fmt: skip
    with pytest.raises(NotConfigured) as found:
        open_gates(mode, ACCEPTS if environment is None else environment, approval, account, now)
    return str(found.value)


def test_three_open_gates_let_live_money_pass(approval: Path) -> None:
    open_gates("live", ACCEPTS, approval, ACCOUNT, NOW)


def test_every_closed_gate_is_named_at_once(tmp_path: Path) -> None:
    told = refusal(tmp_path / "absent.toml", mode="paper", environment={})
    assert "3 of 3 gates are closed" in told
    assert "say --mode live" in told
    assert f"set it to {ACCEPTED}" in told
    assert "there is no file" in told


@pytest.mark.parametrize("closed", ["mode", "environment", "approval"])
def test_two_open_gates_are_not_enough(approval: Path, closed: str) -> None:
    told = refusal(
        approval if closed != "approval" else approval.with_name("none"),
        mode="paper" if closed == "mode" else "live",
        environment={VARIABLE: "yes"} if closed == "environment" else ACCEPTS,
    )
    assert "1 of 3 gates" in told
    assert f"{closed.capitalize()}: " in told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("2026-12-31", "2026-12-30", "expired on 2026-12-30"),
        ("123456789", "987654321", "the keys are those of 123456789"),
        ("25000", "19999.99", "the account holds $20,000.00, it approves $19,999.99"),
        ("25000", "inf", "positive amount"),
        ("25000", "nan", "positive amount"),
        ("25000", '"a lot"', "max_equity"),
        ("Ann Example", " ", "must say something"),
        ("max_equity = 25000", "", "max_equity"),
        ("approved_by", "approved", "approved"),
        ("2026-12-31", '"never"', "expires"),
        ("=", ":", "not valid TOML"),
    ],
)
def test_an_approval_that_does_not_fit_closes_its_gate(
    approval: Path, old: str, new: str, told: str
) -> None:
    approval.write_text(APPROVAL.replace(old, new))
    assert told in refusal(approval)


def test_an_approval_counts_to_the_end_of_its_day_in_new_york(approval: Path) -> None:
    open_gates("live", ACCEPTS, approval, ACCOUNT, datetime(2027, 1, 1, 4, 59, tzinfo=UTC))
    told = refusal(approval, now=datetime(2027, 1, 1, 5, 0, tzinfo=UTC))
    assert "expired" in told


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_an_approval_that_others_may_write_is_none(approval: Path, mode: int) -> None:
    approval.chmod(mode)
    assert "chmod go-w" in refusal(approval)


def test_an_approval_must_be_a_file_of_ones_own(tmp_path: Path, approval: Path) -> None:
    assert "cannot be read" in refusal(tmp_path)
    if os.getuid() == 0:
        os.chown(approval, 65_534, -1)
        assert "somebody else" in refusal(approval)


def test_an_account_of_unknown_size_is_not_traded(approval: Path) -> None:
    from dataclasses import replace

    assert "holds $nan" in refusal(approval, account=replace(ACCOUNT, equity=float("nan")))
