"""Documents made from the ledger, their index, and retrieval as of a moment."""
