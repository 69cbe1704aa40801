"""Does anything read the future? The checks behind `advisor check lookahead`.

`rows` makes the data of an earlier moment, and data whose future is noise; `observing` writes down
all that the pipeline has said by a moment; `comparing` finds the first difference; `checking` puts
them together, with deliberately leaking pipelines that must be caught, because a check that has
never failed proves nothing; `memory` measures how much history recursive formulas need.
"""
