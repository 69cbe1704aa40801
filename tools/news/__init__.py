"""Where news comes from: files, a ledger's kept news, feeds. Each is a `NewsReader`."""
