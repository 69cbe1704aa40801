"""Market data: bar files of any common shape, the bar lake, and what is wrong with either."""
