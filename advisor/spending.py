"""Where it is counted what models cost: the user's file, or the database that machines share."""

from contextlib import closing
from datetime import date

from advisor.ledgers import password_of
from advisor.settings import Settings
from tools.llm.spending import Spending, SpendingFile, Spent
from tools.secrets import Secrets


def open_spending(settings: Settings, secrets: Secrets | None = None) -> Spending:
    """The count in force; close it. Raises BadInput for a place that can never keep it.

    `secrets` are those that are open already.
    """
    if settings.spending.url is None:
        return SpendingFile.open(settings.spending.place())
    from tools.llm.spending_table import SpendingTable

    return SpendingTable.at(settings.spending.url, password_of(settings, secrets))


def counted_on(day: date, *, settings: Settings, secrets: Secrets | None = None) -> Spent | None:
    """What counts against the budget of a day; None when nothing was ever counted.

    Looking makes no file. Raises what `open_spending` does, and Transient for an outage.
    """
    if settings.spending.url is None and not settings.spending.place().is_file():
        return None
    with closing(open_spending(settings, secrets)) as spending:
        return spending.counted(day)
