import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.commands.graph import app
from graph.drawing import BOX_HEIGHT, MACHINES, layout, mermaid, png, svg
from tools.errors import BadInput

DOCS = Path(__file__).parents[2] / "docs" / "graphs"
RUN = CliRunner()


@pytest.mark.parametrize("name", MACHINES)
def test_the_drawings_in_the_docs_are_current(name: str) -> None:
    again = "run: advisor graph show --out docs/graphs, and once more with --format svg"
    assert (DOCS / f"{name}.mmd").read_text() == mermaid(name), again
    assert (DOCS / f"{name}.svg").read_text() == svg(name), again


@pytest.mark.parametrize("name", MACHINES)
def test_no_step_is_drawn_over_another_and_every_reason_is_readable(name: str) -> None:
    picture = layout(name)
    for box in picture.boxes:
        assert box.width / 2 <= box.x <= picture.width - box.width / 2
        assert BOX_HEIGHT / 2 <= box.y <= picture.height - BOX_HEIGHT / 2
        for other in picture.boxes:
            apart = abs(box.x - other.x) >= (box.width + other.width) / 2
            assert box is other or box.y != other.y or apart
    labels = [line.label_at for line in picture.lines if line.label]
    assert len(set(labels)) == len(labels) > 0


def test_edges_carry_their_reasons() -> None:
    text = mermaid("market_analysis")
    assert "assess -.  the model gave no answer  .-> degrade;" in text
    assert "review -.  everything was read  .-> assess;" in text


@pytest.mark.parametrize("name", MACHINES)
def test_pictures_are_pictures(name: str) -> None:
    ET.fromstring(svg(name))
    pytest.importorskip("PIL")
    assert png(name).startswith(b"\x89PNG\r\n")


def test_the_command_draws_to_stdout_and_into_a_folder(tmp_path: Path) -> None:
    shown = RUN.invoke(app, ["show", "premarket"])
    assert (shown.exit_code, shown.stdout) == (0, mermaid("premarket"))
    done = RUN.invoke(app, ["show", "--format", "svg", "--out", str(tmp_path / "new")])
    assert done.exit_code == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == {f"{n}.svg" for n in MACHINES}


def test_an_unknown_machine_is_said() -> None:
    with pytest.raises(BadInput, match="there are market_analysis, trade_validation, premarket"):
        RUN.invoke(app, ["show", "chat2"], catch_exceptions=False)


def test_several_pictures_do_not_go_to_stdout() -> None:
    with pytest.raises(BadInput, match="--out"):
        RUN.invoke(app, ["show", "--format", "png"], catch_exceptions=False)
