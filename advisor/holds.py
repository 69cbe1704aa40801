"""How the ledger's reasons begin where no new entries are sent; metrics count them."""

DISAGREE = "ledger and broker disagree"
FAILING = "the broker keeps failing"
SLIPPED = "an entry slipped by too much"
