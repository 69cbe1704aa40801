"""What AWS Lambda calls: each function as thin as a command, over the same code.

    given             what the environment says: settings, secrets, places; the session's opening
    invocation        what one call says and how much time it has left
    premarket, live_cycle, market_analysis, trade_executor, position_monitor, nightly, api, webhook

A handler is an object that is made once (cold) and called many times (warm). What it keeps between
calls is only what was read of days that are over, and what the ledger confirms before it counts;
everything else is in the ledger and the bucket.
An error that comes out of a call is AWS's to count and to alarm about; what is normal (a holiday,
another call at work) ends quietly, and its answer says so.
"""
