"""The words that questions are made of, and what each means: the parser's dictionary.

An entry is an expression and its effect on the request. Entries are tried in order and cut out
what they read, so a longer expression stands before its parts. A word that no entry and no filler
knows makes the question one that is not understood: to answer "trades longer than an hour" with
all trades would be worse than to say so.
"""

import re
from collections.abc import Mapping
from typing import Any

from quant_core.risk.checks import CHECKS

Effect = Mapping[str, Any]
_TRADE = r"(?:trades?|positions?|round trips?)"
_DAY = r"(?:trading\s+)?(?:days?|sessions?|dates?)"
_SYMBOL = r"(?:symbols?|tickers?|stocks?|names?)"
_BY = r"(?:per|by|for each|each|for every|every|broken down by|split by|grouped by)\s+(?:the\s+)?"
_BEST = r"(?:best|most profitable|strongest|top)"
_WORST = r"(?:worst|least profitable|weakest|most costly|costliest)"
_MOST = r"(?:largest|biggest|highest|greatest|maximum|max)"
_SKIP = (
    r"(?:skip(?:s|ped|ping)?|refus(?:e|ed|al|als)|reject(?:ed|ion|ions)?|block(?:ed)?|"
    r"pass(?:ed)? on|turn(?:ed)? down|declin(?:e|ed)|miss(?:ed)?|filtered(?: out)?)"
)
_FOR = r"(?:because of|by|due to|for)"
_CHECKS = tuple((name, name.replace("_", " ")) for name in CHECKS if "_" in name)
_NOT = r"(?:not|n't|never)"

ENTRIES: tuple[tuple[str, Effect], ...] = (
    # Before their words can be anything else
    (r"signals? and (?:the |our )?trades?|trades? and (?:the |our )?signals?", {"both": True}),
    (r"how much (?:money )?(?:did|have) (?:we|i) (?:lose|lost) (?:in|on|to)(?= fees| commissions)", {}),
    (r"(?:which|what) (?:risk )?(?:checks?|limits?) (?:has |have |had )?(?:blocked|refused|rejected|"
     r"stopped|cost us)(?: the)? most (?:signals|trades)",
     {"tool": "skipped", "measure": "skipped", "by": "blocked_by", "pick": "best"}),
    (r"exit reasons? (?:of|for)(?= (?:the |our |my )?(?:best|worst|last|first|biggest|largest))", {}),
    # Rates and means
    (r"(?:win(?:ning)?|hit|success)[\s-]rates?|(?:percentage|percent|share|fraction) of "
     r"(?:winners|winning trades|trades won|wins|profitable trades)|how often (?:did|do) "
     r"(?:we|it|i) win", {"tool": "trades", "measure": "win_rate"}),
    (r"(?:average|mean) (?:win|winner|winning trade|gain|profit of (?:the )?winners)",
     {"tool": "trades", "measure": "mean_win"}),
    (r"(?:average|mean) (?:loss|loser|losing trade)", {"tool": "trades", "measure": "mean_loss"}),
    (r"(?:average|mean) r(?:[\s-]multiples?)?(?: per trade)?|expectancy in r",
     {"tool": "trades", "measure": "mean_r"}),
    (r"(?:average|mean|typical) (?:holding (?:time|period)|hold(?:ing)?(?: time)?|duration)|"
     r"how long (?:did|were|was|do) (?:we|i|it|the average trades?|trades?|a trade|they)"
     r"(?: (?:on average|held|hold|last|open|trades|a trade|kept|typically|usually)\b)*",
     {"tool": "trades", "measure": "mean_minutes_held"}),
    (rf"(?:average|mean) (?:p\s?[/&]\s?l|pnl|profit|result|earnings?|return|{_TRADE})"
     rf"(?: (?:per|a|of (?:a|the|our)) {_TRADE})?|expectancy|"
     rf"(?:p\s?[/&]\s?l|pnl|profit) per {_TRADE}", {"tool": "trades", "measure": "mean_pnl"}),
    (r"gross profits?", {"tool": "trades", "measure": "gross_profit"}),
    (r"gross loss(?:es)?", {"tool": "trades", "measure": "gross_loss"}),
    (r"fees?|commissions?", {"tool": "trades", "measure": "fees"}),
    # Extremes
    (rf"{_BEST} (?:performing )?{_DAY}|{_MOST} (?:winning|profitable|daily) "
     rf"(?:{_DAY}|profit|gain)|{_MOST} (?:profit|gain) (?:on|in) a {_DAY}",
     {"tool": "trades", "by": "day", "pick": "best"}),
    (rf"{_WORST} (?:performing )?{_DAY}|{_MOST} (?:losing {_DAY}|daily loss|loss (?:on|in) a {_DAY})",
     {"tool": "trades", "by": "day", "pick": "worst"}),
    (rf"{_BEST} (?:performing )?{_SYMBOL}", {"tool": "trades", "by": "symbol", "pick": "best"}),
    (rf"{_WORST} (?:performing )?{_SYMBOL}", {"tool": "trades", "by": "symbol", "pick": "worst"}),
    (r"(?:best|most profitable|better) setups?", {"tool": "trades", "by": "setup", "pick": "best"}),
    (r"(?:worst|least profitable|worse) setups?",
     {"tool": "trades", "by": "setup", "pick": "worst"}),
    (rf"{_BEST} {_TRADE}|{_MOST} (?:win|winner|gain|profit|winning trade)",
     {"tool": "trades", "pick": "best"}),
    (rf"{_WORST} {_TRADE}|{_MOST} (?:loss|loser|losing trade)", {"tool": "trades", "pick": "worst"}),
    (r"(?:(?:made|earned|won|gained) (?:us |me )?(?:the )?most(?: money)?|performed best|did best|"
     r"was (?:the )?(?:best|most profitable))", {"tool": "trades", "pick": "best"}),
    (r"(?:lost|cost)(?: us| me)? (?:the )?most(?: money)?|performed worst|did worst|"
     r"was (?:the )?(?:worst|least profitable)", {"tool": "trades", "pick": "worst"}),
    (r"(?:(?:had|with|saw|has) )?(?:the )?most trades|(?:was )?traded (?:the )?most(?: often)?",
     {"tool": "trades", "measure": "trades", "pick": "best"}),
    (r"(?:(?:had|with|saw|has) )?(?:the )?most signals",
     {"tool": "signals", "measure": "signals", "pick": "best"}),
    # Risk checks, before their words can be anything else
    *((rf"(?:{_FOR} (?:the )?)?(?:the )?{name}(?: check| limit)?|{_FOR} (?:the )?{words}(?: check| "
       rf"limit)?|{words} (?:check|limit)", {"blocked_by": name}) for name, words in _CHECKS),
    (rf"(?:{_FOR} )?(?:the )?(?:position limit|limit (?:on|of) positions|too many (?:open )?"
     r"positions|max(?:imum)? positions)", {"blocked_by": "positions"}),
    # Groups
    (rf"{_BY}{_DAY}|daily|day by day", {"by": "day"}),
    (rf"{_BY}{_SYMBOL}", {"by": "symbol"}),
    (rf"{_BY}setups?", {"by": "setup"}),
    (rf"{_BY}(?:sides?|directions?)|long (?:and|versus|vs\.?|or|against) shorts?(?: trades?| side)?|"
     r"longs (?:and|versus|vs\.?|or|against) shorts", {"by": "side"}),
    (rf"{_BY}(?:exit reasons?|exits?)", {"tool": "trades", "by": "exit_reason"}),
    (rf"{_BY}(?:checks?|risk checks?|reasons?|limits?)", {"by": "blocked_by"}),
    (rf"{_BY}(?:rulings?|verdicts?)", {"tool": "signals", "by": "ruling"}),
    (rf"{_BY}lanes?", {"tool": "lanes"}),
    (rf"(?:which|what) (?:{_DAY})", {"by": "day"}),
    (rf"(?:which|what) {_SYMBOL}", {"by": "symbol"}),
    (r"(?:which|what) setups?", {"by": "setup"}),
    (r"(?:which|what) sides?|(?:which|what) direction", {"by": "side"}),
    # What was not done
    (rf"{_SKIP} (?:signals?|trades?|setups?|entries)|signals? (?:that )?(?:was|were|got) {_SKIP}|"
     rf"signals? {_SKIP}", {"tool": "skipped", "noun": "skipped"}),
    (rf"(?:did(?:n't| not)|do(?:n't| not)|was(?:n't| not)|were(?:n't| not)|{_NOT}) "
     r"(?:(?:we|i|you|it|the advisor|they) )?(?:not )?(?:trade[ds]?|take|taken|buy|bought|enter"
     r"(?:ed)?|order(?:ed)?|execute[ds]?|short(?:ed)?|sell|sold|go long|go short)",
     {"tool": "skipped", "noun": "skipped"}),
    (_SKIP, {"tool": "skipped", "noun": "skipped"}),
    # How trades ended, before "stop" and "target" can be anything else
    (r"trailing[\s-]stops?(?: exits?)?", {"tool": "trades", "exit": "trailing_stop"}),
    (r"stopped out|stop(?:ped)?[\s-]?(?:outs?|exits?)|stop[\s-]?loss(?:es)?(?: hits?| exits?)?|"
     r"(?:hit|hitting|ended (?:at|by)|closed (?:at|by)|exited (?:at|by)) (?:the |their |its |our |a )?"
     r"stops?(?: loss)?|(?:through|with|by|at) (?:the |their |a )?stops?",
     {"tool": "trades", "exit": "stop"}),
    (r"(?:reach(?:ed)?|hit|hitting|ended (?:at|by)|closed (?:at|by)|exited (?:at|by)|at|by) "
     r"(?:the |their |its |our |a )?(?:profit )?targets?|take[\s-]profits?|target exits?|"
     r"targets? (?:hit|reached)", {"tool": "trades", "exit": "target"}),
    (r"(?:closed |exited |ended )?(?:at|by|on) (?:the )?end of (?:the )?(?:day|session)|"
     r"end[\s-]of[\s-]day(?: exits?| trades?)?", {"tool": "trades", "exit": "end_of_day"}),
    (r"exit reasons?", {"tool": "trades", "by": "exit_reason"}),
    # Rulings
    (r"veto(?:e?s|ed|ing)?", {"tool": "signals", "ruling": "veto", "noun": "vetoed"}),
    (r"(?:reduced|reduce|reductions?|halved|cut in half)(?: in size)?",
     {"tool": "signals", "ruling": "reduce", "noun": "reduced"}),
    (r"approv(?:e|ed|als?)", {"tool": "signals", "ruling": "approve", "noun": "approved"}),
    (r"abstain(?:ed|s)?|abstentions?", {"tool": "signals", "ruling": "abstain", "noun": "abstained"}),
    (r"verdicts?|rulings?|validator(?:'s)?|validations?", {"tool": "signals", "verdicts": True}),
    # Nouns
    (r"trades? (?:that |which |were |have )*(?:made|earned|making) (?:money|a profit|a gain)",
     {"tool": "trades", "outcome": "won", "noun": "trades"}),
    (r"trades? (?:that |which |were |have )*(?:(?:lost|losing) money|made a loss)",
     {"tool": "trades", "outcome": "lost", "noun": "trades"}),
    (r"(?:winners?|wins?|winning|profitable|won) (?:trades?)|winners?|wins|trades? (?:were |was |did we )?"
     r"(?:won|winners?|profitable|winning|win)", {"tool": "trades", "outcome": "won", "noun": "trades"}),
    (r"(?:losers?|losing|unprofitable|lost) (?:trades?)|losers?|losses|trades? (?:were |was |did we )?"
     r"(?:lost|losers?|unprofitable|losing|lose)",
     {"tool": "trades", "outcome": "lost", "noun": "trades"}),
    (r"p\s?[/&]\s?l|p\s?and\s?l|pnl|profits? (?:and|or) loss(?:es)?|net (?:profit|result|gain|loss)|"
     r"how much (?:money )?(?:did|have) (?:we|i) (?:make|made|earn|earned|lose|lost)",
     {"tool": "trades", "measure": "pnl", "pnl_itself": True}),
    (r"(?:in the )?(?:green|red)|up or down|results?|perform(?:ance|ed)?",
     {"tool": "trades", "measure": "pnl"}),
    (r"signals?|triggers?|triggered", {"tool": "signals", "noun": "signals"}),
    (r"degraded(?: analys[ei]s)?", {"tool": "analyses", "measure": "degraded"}),
    (r"(?:average|mean) confidence", {"tool": "analyses", "measure": "mean_confidence"}),
    (r"market (?:view|assessment)s?|analys[ei]s|analyst(?:'s)?|assessments?|multipliers?|"
     r"thresholds?|confidence|market (?:look|looked) like", {"tool": "analyses", "noun": "analyses"}),
    (r"open positions?|positions?|holdings?|holding|(?<=we )hold|(?<=i )hold|(?<=we )held|exposed",
     {"tool": "positions", "noun": "positions"}),
    (r"(?:daily )?bias(?:es)?|(?:bullish|bearish|choppy),? or (?:bullish|bearish|choppy)",
     {"tool": "biases", "noun": "biases"}),
    (r"(?:starting|start|initial|opening) (?:equity|balance|capital)",
     {"tool": "account", "measure": "start_equity"}),
    (r"(?:ending |end |final |account )?(?:equity|balance|capital)|account value|account worth",
     {"tool": "account", "measure": "end_equity"}),
    (r"(?:all )?(?:three )?lanes?", {"lanes": True}),
    (r"(?:the )?advice (?:help|helped|worth|add|added|pay|paid|better|worse)|"
     r"(?:the )?(?:advice|advisor|llm|model|ai|analyst)(?:'s)? (?:help|helped|add(?:ed)? value|worth|"
     r"beat|did better|do better|make money|made money)|(?:value of|worth of) the advice|"
     r"(?:did|does|has|was) the (?:advice|advisor|llm|model|ai)(?: \w+)?", {"tool": "lanes"}),
    (r"shares?", {"tool": "trades", "measure": "shares"}),
    (r"trades?|round trips?", {"tool": "trades", "noun": "trades"}),
    # Money, weakly
    (r"how much (?:money|cash|capital) (?:do|did) (?:we|i) have",
     {"tool": "account", "measure": "end_equity"}),
    (r"how many times", {"count": True}),
    (r"how (?:did|does|do|has|have|is|are)[\s,]+(?:(?:we|i|it|they|everything|things|and)[\s,]+)*"
     r"(?:do|done|doing|go|gone|going|fare|fared)(?! to)", {"tool": "trades", "measure": "pnl"}),
    (r"(?:make|made|earn(?:ed|ings)?|gain(?:ed|s)?|profits?|lose|lost|loss|losing|money)",
     {"tool": "trades", "measure": "pnl"}),
    # Filters
    (r"mean[\s-]reversions?|reversions?|mr", {"setup": "MR"}),
    (r"trend[\s-]continuations?|continuations?|tc", {"setup": "TC"}),
    (r"longs?", {"side": 1}),
    (r"shorts?|short sales?", {"side": -1}),
    # Ways of asking
    (r"why|on what grounds|how come|what (?:was|were|is|are) the reasons?(?: (?:for|why))?|reasons?(?: for)?|"
     r"explain|what led to", {"why": True}),
    (r"how many|number of|count(?: of)?", {"count": True}),
    (r"(?:compare[ds]?|comparison|comparing)(?: (?:with|to|against))?|versus|vs\.?|"
     r"difference(?: between)?|differ|better|worse|beat|outperform(?:ed)?|than",
     {"compare": True}),
    (r"list|show|display|print|enumerate|which|what were|give me", {"list": True}),
    (r"(?:find|search(?: for)?|look up|look for|mention(?:s|ed|ing)?|documents?|notes?)",
     {"search": True}),
    (r"all symbols|every symbol|all stocks|overall|in total|altogether|so far|all time|ever|"
     r"(?:the )?(?:whole|entire|full) (?:run|month|period|time|week|replay)|everything",
     {"whole": True}),
)  # fmt: skip
DICTIONARY = tuple(
    (re.compile(rf"(?<![\w'⟦]){'(?:' + expression + ')'}(?![\w⟧])"), effect)
    for expression, effect in ENTRIES
)

_FILLERS = """
a about act actually advisor after all also am an and any anything are as at be because been
before being both bought but buy by came can case close closed come could did didn't do does
doing dollar dollars done during end ended est et every exact exactly exit exited exits find for force
from get give go got had happen happened has have he hello her here hey hi how i i'd in into
is it it's its just know like look made many market me mine much my need new now of ok okay on
open or our out over paid please profit quick quickly realised realized really recorded regarding
replay run said same say see sell so sold some still system take taken tell thank thanks that
the their them then there these they think this those thought time to took total traded trading us usd used
value via want was wasn't we went were what what's whats when where will with within worked would york
you your
"""
FILLERS = frozenset(_FILLERS.split())
COMPANIES = {
    "nvidia": "NVDA", "apple": "AAPL", "microsoft": "MSFT", "amazon": "AMZN", "intel": "INTC",
    "snowflake": "SNOW", "tesla": "TSLA", "google": "GOOGL", "alphabet": "GOOGL", "meta": "META",
    "facebook": "META", "netflix": "NFLX", "broadcom": "AVGO", "palantir": "PLTR", "nasdaq": "QQQ",
    "s&p": "SPY", "russell": "IWM",
}  # fmt: skip
_MOVE = (
    r"(?:go|rise|fall|rally|crash|drop|climb|jump|be|do|move|open|close|make|perform|trade|happen|"
    r"hit|reach|lose|win|beat|bounce|reverse|recover|keep|continue|cost)"
)
_LETTERS = re.compile(r"[a-z]{4,}")
# Words that questions are made of, to suggest where one is misspelt.
VOCABULARY = sorted(
    FILLERS | {word for expression, _ in ENTRIES for word in _LETTERS.findall(expression)}
)
# What is refused before anything else is read, and as what.
GUARDS: tuple[tuple[str, str], ...] = (
    (r"\bwhat if\b|\bif (?:we|i|it|they|you) (?:had|hadn't|did|didn't|were|was|would)\b|"
     r"\bhad (?:we|i) (?:not|never|only)\b|\b(?:would|could|might) (?:we |i |it |they )?have (?!a\b|any\b|the\b)", "no_evidence"),
    (rf"\b(?:will|going to|gonna|shall|'ll)\b.*\b{_MOVE}|\bwill (?:we|i|it|the)\b|"
     r"\b(?:predict|prediction|forecast|outlook|price target for|expected to|likely to|"
     r"probability (?:of|that)|chances? (?:of|that)|odds)\b|\bwhat(?:'s| is) next\b",
     "future"),
    (r"\b(?:should|ought|shall) (?:i|we|you|one)\b|\b(?:recommend|recommendation|suggest|advise me|"
     r"advice on (?:what|whether)|good (?:time|idea|moment|buy)|worth buying|a (?:buy|sell)\b)|"
     r"\bwhat (?:to|should|can|would you) (?:i |we )?(?:buy|sell|trade|short)\b|"
     r"\bis (?:it|now) (?:safe|wise|smart)\b", "advice"),
    (r"^(?:please |can you |could you |would you |just |now |i want (?:you )?to |go ahead and )*"
     r"(?:buy|sell|short|cover|liquidate|flatten|close (?:all|my|our|the|every)|cancel|place|submit|"
     r"order|enter|exit|open a|set|change|disable|enable|turn (?:on|off)|switch|update|delete|drop|"
     r"remove|insert|reset|halt|stop trading|start trading|raise|increase|lower|decrease|reduce|"
     r"double|halve|execute|approve|override|edit|write|modify|grant|kill|shut|restart|pause|"
     r"resume|send|transfer|withdraw|deposit)\b", "act"),
    (r"\b(?:ignore|disregard|forget|bypass|override) (?:all |any |the |your |every )*(?:previous |"
     r"prior |above |earlier |safety )*(?:instructions?|rules?|prompts?|limits?|checks?|guardrails?)|"
     r"\bsystem prompt\b|\b(?:api|secret|access)[\s_-]?keys?\b|\bpasswords?\b|\bcredentials?\b|"
     r"\benvironment variables?\b|/etc/|\bdrop table\b|\bunion select\b|\bselect \*|"
     r"\binsert into\b|\bdelete from\b|<script|\bpretend\b|\bjailbreak|\brole-?play\b|"
     r"\byou are now\b", "act"),
)  # fmt: skip
