"""Sessions under faults: the real cycle, trading and ledger against an exchange in memory."""
