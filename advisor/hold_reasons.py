"""How the ledger's reasons begin where no new entries are sent; metrics count them.

Apart from `advisor.trading`, which loads the compiled core: whoever reads ledgers needs only these.
"""

DISAGREE = "ledger and broker disagree"
FAILING = "the broker keeps failing"
SLIPPED = "an entry slipped by too much"
