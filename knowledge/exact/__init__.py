"""Exact search: complete, counted, never the best few. What the text says is kept in `Wording` rows."""
