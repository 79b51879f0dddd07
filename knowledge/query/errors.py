"""What is wrong with a query, and where."""


class QueryError(Exception):
    """The query cannot be read; the message is for people, `start` and `end` are characters of the query."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(f"{message} (At character {start + 1}.)")
        self.start = start
        self.end = max(end, start + 1)
