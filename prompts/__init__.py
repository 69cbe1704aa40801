"""What language models are asked: versioned templates and the strict way to fill them.

`render("market_analysis", 1, {...})` fills `market_analysis.v1.md`. A released template never
changes: `tests/prompts/released.json` pins each by its SHA-256, and a better wording is a new
version. There is no logic in a template; what varies is prepared by code as one of three kinds of
value: `Facts` (numbers that code has read and formatted), `Untrusted` (text written by others,
enclosed and labelled as data) and plain words chosen by code.
"""

from prompts.templates import Template, load, released, render
from prompts.values import Facts, Item, Untrusted

__all__ = [
    "Facts",
    "Item",
    "Template",
    "Untrusted",
    "load",
    "released",
    "render",
]
