"""Prefix replay: cut the data anywhere, or make its future noise, and the past does not change.

The pipeline is run over all rows and paused at each moment; then over the rows that had arrived by
that moment, and over rows that are noise after it. Everything said by then must be the same to the
last bit: cutting finds what needs the future, noise finds what uses it (a mean over the whole
sample survives a cut that is late enough, not the noise). The canaries of `leaks` go through the
same comparison and must fail it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from advisor.bootstrap import ReplayOptions
from advisor.lookahead.comparing import Comparison, compare, compare_features
from advisor.lookahead.leaks import CANARIES, Timing, timings
from advisor.lookahead.observing import Leak, Said, observe
from advisor.lookahead.rows import Rows, until, up_to, with_noise_after
from advisor.market import Market, MarketRequest, assemble
from advisor.settings import Settings
from quant_core.bars import BarSeries
from quant_core.calendar import Calendar, new_york, to_datetime
from quant_core.features import FeatureTable, compute
from tools.errors import BadInput

TIMEFRAME = "1min"
_DAILY_CANARY = "a snapshot that knows today's daily bar"
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What is put to the test: from rows to a market, and from bars to features."""

    prepare: Callable[[MarketRequest, Settings, Rows], Market]
    features: Callable[[BarSeries, str, Calendar], FeatureTable]

    def leaking(self, leak: Leak) -> "Pipeline":
        """The same, with a leak behind the preparation of the market."""
        return Pipeline(lambda *given: leak(self.prepare(*given)), self.features)


def prepare(request: MarketRequest, settings: Settings, rows: Rows) -> Market:
    """The preparation that every replay uses."""
    return assemble(request, settings, *rows)


OURS = Pipeline(prepare, compute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One output at one moment; `way` says what was done to the future: `cut` or `noise`."""

    moment: int
    way: str
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A pipeline that cheats; `caught` says by which difference, "" when it was not."""

    name: str
    caught: str


@dataclass(slots=True, kw_only=True)
class Report:
    """What the checks found, in the order in which they were made."""

    moments: Sequence[int]
    results: list[Result] = field(default_factory=list)
    canaries: list[Canary] = field(default_factory=list)
    timings: list[Timing] = field(default_factory=list)

    @property
    def leaks(self) -> list[Result]:
        """Every output that changed with its future."""
        return [one for one in self.results if not one.comparison.agrees]

    @property
    def blind(self) -> list[Canary]:
        """The canaries that were not caught: the check cannot see such a leak in this data."""
        return [canary for canary in self.canaries if not canary.caught]

    @property
    def delay_costs(self) -> bool:
        """Whether deciding a minute late costs more than chance explains: no proof, but a sign.

        A pipeline that peeks by a minute decides on time when it is delayed by one, and loses what
        it could not have had; so does an honest one that lives by the minute.
        """
        return any(one.late > 0 and one.gain.verdict == "negative" for one in self.timings)

    @property
    def passed(self) -> bool:
        """Whether no output reads the future and every canary was caught."""
        return not self.leaks and not self.blind


def check(
    request: MarketRequest,
    options: ReplayOptions,
    settings: Settings,
    rows: Rows,
    moments: Sequence[int],
    *,
    seed: int = 0,
    pipeline: Pipeline = OURS,
    progress: Progress = lambda _words: None,
) -> Report:
    """Check a pipeline at ascending moments (see `usable`), on the rows of a request."""
    report = Report(moments=moments)
    progress("running over all rows")
    market = pipeline.prepare(request, settings, rows)
    whole = observe(market, options, settings, moments)
    pasts = {"cut": _cut, "noise": _noise}
    for way, make in pasts.items():
        for said in whole:
            progress(f"{way} at {new_york(to_datetime(said.moment))}")
            other, asked = make(request, market.calendar, rows, said.moment, seed)
            past = pipeline.prepare(asked, settings, other)
            found = compare(said, observe(past, options, settings, [said.moment])[0])
            found += _features(pipeline, market, past, said.moment)
            report.results += [Result(moment=said.moment, way=way, comparison=one) for one in found]
    progress("canaries")
    report.canaries += _canaries(request, options, settings, rows, moments, pipeline)
    progress("a minute early and late")
    report.timings += timings(market, settings, seed)
    return report


def usable(market: Market, moment: int) -> bool:
    """Whether every symbol has a bar by a moment, and its session one, and it lies in a session."""
    if any(bars.end[0] > moment for bars in market.minutes):
        return False
    session = next((s for s in market.sessions if s.open < moment <= s.close), None)
    return session is not None and any(
        np.any((bars.start >= session.open) & (bars.end <= moment)) for bars in market.minutes
    )


def choose_moments(market: Market, count: int, seed: int) -> list[int]:
    """Moments of all kinds, ascending: in the morning, on an hour, at a close, anywhere."""
    random = np.random.Generator(np.random.PCG64(seed))
    found: set[int] = set()
    for number in range(20 * count):
        session = market.sessions[int(random.integers(len(market.sessions)))]
        minutes = session.minutes
        offset = (
            int(random.integers(31, min(150, minutes))),
            60 * int(random.integers(1, minutes // 60 + 1)),
            minutes,
            int(random.integers(1, minutes + 1)),
        )[number % 4]
        if usable(market, session.open + offset):
            found.add(session.open + offset)
        if len(found) == count:
            break
    if not found:
        raise BadInput("no moment of these sessions has a bar of every symbol before it")
    return sorted(found)


def _cut(
    request: MarketRequest, calendar: Calendar, rows: Rows, moment: int, _seed: int
) -> tuple[Rows, MarketRequest]:
    return until(rows, calendar, moment), up_to(request, calendar, moment)


def _noise(
    request: MarketRequest, calendar: Calendar, rows: Rows, moment: int, seed: int
) -> tuple[Rows, MarketRequest]:
    return with_noise_after(rows, calendar, moment, seed), request


def _features(pipeline: Pipeline, market: Market, past: Market, moment: int) -> list[Comparison]:
    return [
        compare_features(
            pipeline.features(whole, TIMEFRAME, market.calendar),
            pipeline.features(other, TIMEFRAME, past.calendar),
            moment,
        )
        for whole, other in zip(market.minutes, past.minutes, strict=True)
    ]


def _canaries(
    request: MarketRequest,
    options: ReplayOptions,
    settings: Settings,
    rows: Rows,
    moments: Sequence[int],
    pipeline: Pipeline,
) -> list[Canary]:
    """Put each leak behind the same preparation and see whether some moment gives it away."""
    found = []
    for name, leak in CANARIES.items():
        if name == _DAILY_CANARY and not rows[1]:
            continue
        cheat = pipeline.leaking(leak)
        market = cheat.prepare(request, settings, rows)
        whole = observe(market, options, settings, moments)
        caught = ""
        for said in whole:
            other, asked = _cut(request, market.calendar, rows, said.moment, 0)
            cut = observe(cheat.prepare(asked, settings, other), options, settings, [said.moment])
            caught = _first(said, cut[0])
            if caught:
                break
        found.append(Canary(name=name, caught=caught))
    return found


def _first(whole: Said, other: Said) -> str:
    differing = (one for one in compare(whole, other) if not one.agrees)
    return next((f"{one.output}: {one.first}" for one in differing), "")
