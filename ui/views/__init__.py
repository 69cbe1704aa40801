"""A module for each page; each has `show()`, which draws it for the current visit."""
