"""One script for each engine that `benchmarks.peers` compares, run in a process of its own.

All get the same prepared columns, so what is measured is the loop over minutes: state machine,
orders, fills and brackets. The peers' scripts run in their own environment, where this package is
not installed: they import nothing but their library, numpy and the `plain` module beside them.
"""
