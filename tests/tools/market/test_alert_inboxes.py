"""The folder in which alerts wait: put once, taken as they are, nobody believed."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tools.store.examples import CHART_ALERT
from tools.errors import BadInput, Transient
from tools.market import alert_inboxes
from tools.market.alert_inboxes import REFUSED, FolderInbox
from tools.market.tradingview import COMPONENTS, arrived, on_its_way

ALERT = replace(CHART_ALERT, components=dict.fromkeys(COMPONENTS, 0.5))


def test_an_alert_comes_back_as_it_was_and_stays_until_it_is_done_with(tmp_path: Path) -> None:
    inbox = FolderInbox(tmp_path / "new", print)
    assert inbox.take() == []
    inbox.put(ALERT)
    inbox.put(replace(ALERT, score=1.0))  # a repetition by its id
    assert FolderInbox(tmp_path / "new", print).take() == [ALERT]
    inbox.done([ALERT.id, "never-heard-of"])
    assert inbox.take() == []
    assert list((tmp_path / "new").iterdir()) == []


def test_what_is_no_alert_is_put_aside_and_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    inbox = FolderInbox(tmp_path, told.append)
    (tmp_path / "text.json").write_text("no json")
    (tmp_path / "large.json").write_text("x" * 100_000)
    (tmp_path / "another.json").write_text(on_its_way(ALERT))
    os.mkfifo(tmp_path / "pipe.json")
    os.symlink(tmp_path / "text.json", tmp_path / "link.json")
    inbox.put(ALERT)
    assert inbox.take() == [ALERT]
    assert len(told) == 5
    assert inbox.take() == [ALERT]
    assert len(told) == 5
    assert {one.suffix for one in tmp_path.iterdir()} == {".json", REFUSED}


def test_where_nobody_takes_alerts_they_do_not_pile_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_inboxes, "MOST_WAITING", 2)
    inbox = FolderInbox(tmp_path, print)
    for name in ("a" * 32, "b" * 32):
        inbox.put(replace(ALERT, id=name))
    with pytest.raises(Transient, match="start `advisor live` with this folder"):
        inbox.put(ALERT)


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        FolderInbox(tmp_path / "file", print).put(ALERT)
    with pytest.raises(Transient, match="cannot be read"):
        FolderInbox(tmp_path / "file", print).take()


@pytest.mark.parametrize("changed", [{"score": 11.0}, {"stop": 1.0}, {"components": {}}])
def test_what_was_changed_on_its_way_is_not_believed(changed: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        arrived(on_its_way(replace(ALERT, **changed)))  # type: ignore[arg-type]
