"""A session as it happens: bars that arrive, a loop that waits for them, orders at a broker.

    opening    what the session starts from: the account's lock, the run, history, advisers
    feed       today's bars from the stream, and from the archive what the stream did not bring
    minutes    the bars that minutes are decided on, kept before anything is decided
    loop       the minutes, one after another, until the close or until somebody says stop
    telling    what a person hears of it

Decisions are made by the same cycle as in a replay; a replay of the kept bars makes them again.
"""
