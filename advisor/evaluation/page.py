"""`evaluation.html`: one page that opens anywhere, without a script and without a network.

The style is that of the replay's report. Whatever comes from data is escaped; the content security
policy forbids everything but the one style.
"""

import math
from collections.abc import Iterable, Sequence
from html import escape

from advisor.evaluation import drawing
from advisor.evaluation.calls import usd_by_session
from advisor.evaluation.findings import NO_EFFECT, WHO_PAYS, Evaluation, Forecasts, headline
from advisor.report.figures import DASH, MINUS, count, money, percent
from advisor.report.page import policy, styles
from quant_core.bootstrap import PairedDifference

STYLES = ("base", "controls", "charts", "tables", "evaluation")
EVENTS = {
    "analysis": "Multipliers do better than base thresholds until the next analysis",
    "verdict": "The trade ends with a profit after costs",
}


def render(evaluation: Evaluation) -> str:
    """The whole page."""
    style = styles(STYLES)
    sections = [
        _result(evaluation),
        _timing(evaluation),
        _confidence(evaluation),
        _rulings(evaluation),
        _models(evaluation),
        _failures(evaluation),
        _authority(evaluation),
    ]
    return _TEMPLATE.format(
        policy=policy(style),
        style=style,
        banner=_SYNTHETIC if evaluation.synthetic else "",
        period=escape(period(evaluation)),
        headline=escape(headline(evaluation.differences)),
        sections="".join(sections),
        identity=escape(
            "; ".join(f"run {run.run_id}, code {run.code_version}" for run in evaluation.runs)
        ),
    )


def period(evaluation: Evaluation) -> str:
    """What was evaluated, in a few words."""
    dates = evaluation.dates
    who = sorted({f"{run.analyst} / {run.validation}" for run in evaluation.runs})
    span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    runs = count(len(evaluation.runs), "replay")
    return f"{runs}, {count(len(dates), 'session')}, {span}, analyst / validation: {', '.join(who)}"


def interval(measured: PairedDifference) -> str:
    """The 95 % interval in dollars, or a dash."""
    if math.isnan(measured.low):
        return DASH
    return f"{money(measured.low)} to {money(measured.high)}"


def number(value: float, form: str) -> str:
    """A number with a true minus; a dash where it is undefined, ∞ where it has no bound."""
    if math.isnan(value):
        return DASH
    shown = f"{value:{form}}" if math.isfinite(value) else "∞" if value > 0 else "-∞"
    return shown.replace("-", MINUS)


def _result(evaluation: Evaluation) -> str:
    rows = [
        [one.question, one.name, money(one.measured.mean), interval(one.measured),
         money(one.measured.total), one.words]
        for one in evaluation.differences
    ]  # fmt: skip
    base = evaluation.profits["baseline"]
    lines = {"lane-advised": evaluation.profits["advised"] - base}
    if evaluation.costs is not None:
        lines["net"] = lines["lane-advised"] - usd_by_session(evaluation.costs)
    legend = "Solid: advised minus baseline, summed up."
    if len(evaluation.placebos):
        legend += " Thin: the same multipliers in random orders of each day, without vetoes."
    if "net" in lines:
        legend += " Dashed: after paying for the models."
    return _section(
        "Is the advice worth anything?",
        _table(
            ["Question", "Lanes", "A session", "95 % interval", "In all", "Finding"], rows, "  ###"
        )
        + f"<h2>Against the baseline</h2><p class='note'>{escape(legend)}</p>"
        + drawing.cumulative(evaluation.dates, lines, evaluation.placebos - base)
        + _notes(evaluation.notes),
    )


def _timing(evaluation: Evaluation) -> str:
    timing = evaluation.timing
    if timing is None:
        return ""
    title = "Was it the timing?"
    if timing.words == NO_EFFECT:
        return _section(title, f"<p>Nothing to judge by: {escape(NO_EFFECT)}.</p>")
    return _section(
        title,
        f"<p>The multipliers in their own order made more than {timing.beaten} of "
        f"{timing.shuffles} random orders of the same day, all without vetoes. A random order "
        f"does at least as well with a chance of {percent(timing.chance, 0, signed=False)}: "
        f"<b>{escape(timing.words)}</b>.</p>" + drawing.timing_strip(timing),
    )


def _confidence(evaluation: Evaluation) -> str:
    if not evaluation.forecasts:
        return ""
    rows = []
    for one in evaluation.forecasts:
        s = one.scores
        rows.append([
            one.kind, one.author, f"{s.count:,}", f"{one.without_event:,}",
            number(100 * s.base_rate, ".0f") + " %" if s.count else DASH,
            number(100 * s.mean_forecast, ".0f") + " %" if s.count else DASH,
            number(s.brier, ".3f"), number(s.brier_skill, "+.3f"),
            number(s.log_score, ".3f"), number(s.log_skill, "+.3f"), s.calibration, one.words,
        ])  # fmt: skip
    head = [
        "What", "Author", "Scored", "Undecided", "Happened", "Stated", "Brier", "skill", "Log",
        "skill", "Calibration", "Against the base rate",
    ]  # fmt: skip
    figures = "".join(_reliability(one) for one in evaluation.forecasts if one.scores.count)
    return _section(
        "Does stated confidence mean anything?",
        _table(head, rows, "  ########")
        + "<p class='note'>Brier and log score: lower is better. Skill is against someone who "
        "knows only how often the event happened; below 0 is worse than that. "
        f"Analysis: {EVENTS['analysis'].lower()}, from the same desk, in R of the signals "
        "followed to their end; intervals with the same signals are undecided. "
        f"Verdict: {EVENTS['verdict'].lower()}, whatever the ruling; a signal that never fills is "
        f"undecided.</p><div class='figures-row'>{figures}</div>",
    )


def _reliability(one: Forecasts) -> str:
    rows = [
        [f"{100 * bin.low:.0f}–{100 * bin.high:.0f} %", f"{bin.count:,}",
         percent(bin.forecast, 1, signed=False), percent(bin.observed, 1, signed=False),
         f"{percent(bin.least, 0, signed=False)} to {percent(bin.most, 0, signed=False)}"]
        for bin in one.scores.bins
        if bin.count
    ]  # fmt: skip
    table = _table(["Stated", "Forecasts", "Mean", "Happened", "95 % interval"], rows, " ####")
    title = escape(f"{EVENTS[one.kind]} · {one.author}")
    return f"<div><h3>{title}</h3>{drawing.reliability(one.scores)}{table}</div>"


def _rulings(evaluation: Evaluation) -> str:
    if not evaluation.rulings:
        return ""
    rows = [
        [one.ruling, one.author, f"{one.signals:,}", f"{one.filled:,}",
         percent(one.won / one.filled, 0, signed=False) if one.filled else DASH,
         number(one.mean_r, "+.2f"), number(one.total_r, "+.1f"),
         f"{number(one.by_session.low, '+.2f')} to {number(one.by_session.high, '+.2f')}",
         one.words]
        for one in evaluation.rulings
    ]  # fmt: skip
    head = [
        "Ruling", "Author", "Signals", "Filled", "Won", "R a trade", "R in all",
        "R a session, 95 %", "Finding",
    ]  # fmt: skip
    return _section(
        "What would the ruled trades have made?",
        _table(head, rows, "  ######")
        + "<p class='note'>Every signal that was ruled on, followed alone at full size through the "
        "same fills, stops, targets and closing time, whether it was traded or not. R is profit "
        "after costs over the risk planned. A good veto stands on trades that would have lost."
        "</p>",
    )


def _models(evaluation: Evaluation) -> str:
    if evaluation.costs is None:
        return ""
    spent = evaluation.costs
    rows = [
        [str(one.date), f"{one.calls:,}", f"${one.usd:.4f}", f"{one.tokens_in:,}",
         f"{one.tokens_out:,}"]
        for one in spent
    ]  # fmt: skip
    total = [sum(getattr(one, name) for one in spent) for name in _COLUMNS]
    rows.append(["all", f"{total[0]:,}", f"${total[1]:.4f}", f"{total[2]:,}", f"{total[3]:,}"])
    quantiles = [
        [one.prompt, one.model, f"{one.calls:,}",
         *(number(q, ".2f") + " s" for q in (one.median, one.p90, one.p99, one.longest))]
        for one in evaluation.latencies
    ]  # fmt: skip
    return _section(
        "What did the models cost?",
        f"<p class='note'>{WHO_PAYS}</p>"
        + _table(["Session", "Calls", "USD", "Tokens in", "Tokens out"], rows, " ####")
        + "<h2>How long they took</h2>"
        + _table(
            ["Prompt", "Model", "Calls", "Median", "90 %", "99 %", "Longest"], quantiles, "  #####"
        ),
    )


_COLUMNS = ("calls", "usd", "tokens_in", "tokens_out")


def _failures(evaluation: Evaluation) -> str:
    rows = [
        [one.kind, one.reason, f"{one.count:,} of {one.of:,}", one.example]
        for one in evaluation.failures
    ]
    body = (
        _table(["What", "Reason", "Count", "For example"], rows, "  #")
        if rows
        else "<p class='empty'>Every analysis and every verdict came about as intended.</p>"
    )
    return _section("What failed?", body)


def _authority(evaluation: Evaluation) -> str:
    if not evaluation.authority:
        return ""
    rows = [
        [day, f"{one.value:.3f}", one.reason]
        for day, one in zip(evaluation.dates, evaluation.authority, strict=False)
    ]
    return _section(
        "Earned authority", _table(["Session", "Authority", "Measured before it"], rows, " #")
    )


def _notes(notes: Iterable[str]) -> str:
    return "".join(f"<p class='alert'>{escape(note)}</p>" for note in notes)


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], kinds: str) -> str:
    """A table; a `#` in `kinds` makes its column one of numbers. The last column may wrap."""
    shape = kinds.ljust(len(head))

    def cell(tag: str, i: int, text: str, scope: str = "") -> str:
        name = "number" if shape[i] == "#" else "say wrap" if i == len(head) - 1 else ""
        return f"<{tag}{scope} class='{name}'>{escape(text)}</{tag}>"

    top = "".join(cell("th", i, text, " scope='col'") for i, text in enumerate(head))
    body = "".join(
        "<tr>"
        + cell("th", 0, row[0], " scope='row'")
        + "".join(cell("td", i, text) for i, text in enumerate(row) if i)
        + "</tr>"
        for row in rows
    )
    return (
        f"<div class='scroll'><table class='plain-table'><thead><tr>{top}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


_SYNTHETIC = (
    '<div class="synthetic" role="note">SYNTHETIC: these bars were generated, not recorded from a '
    "market. Nothing here says how any of this would have done.</div>"
)
_TEMPLATE = """<!doctype html>
<html lang="en" data-theme="auto">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<title>Evaluation · {period}</title>
<style>{style}</style>
</head>
<body>
{banner}
<main>
<section><p class="kicker">{period}</p><h1>{headline}</h1></section>
{sections}
<footer><p>Intervals are 95 % block-bootstrap intervals of the paired difference a session.
Simulated fills on recorded or synthetic bars are no promise of live results.
{identity}.</p></footer>
</main>
</body>
</html>
"""
