"""The ledger's schema over time.

A change of `tools.store.tables` needs a new file in `versions/`, numbered one up, and
`tools.store.schema.HEAD` at that number. A revision never changes once it has been released, so it
spells its columns out instead of importing them. The tests compare an empty database brought to
HEAD with the tables.
"""
