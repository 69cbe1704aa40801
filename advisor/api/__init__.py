"""The REST API over a ledger: what a portfolio site, the dashboard and the chat talk to.

`schemas` says what is answered and imports nothing of the program, so that the dashboard can;
`app.create_app` puts the parts together. It reads and never writes: no path leads from here to an
order or a setting.
"""
