"""`advisor sweep`: many combinations of settings on the same bars, and an honest word on the best.

The way of a sweep: `space` turns `--vary` into a table of combinations, `work` lays the bars out
once for each set of indicators and scores batches of rows, `engines` spread the batches over
threads or a Ray cluster, `files` keep every finished batch, `run` ties them together, and
`judgement` asks `quant_core.selection` what the best of so many tries is worth.

Combinations are numbered from 0 in the order of the table; the number is their name everywhere.
A matrix of daily returns has shape (combinations, sessions) here and in the files, and is handed
to `quant_core.selection` transposed.
"""
