"""The words of a version, as exact search reads them."""

from django.db import models

from knowledge.models.document import Version


class Wording(models.Model):
    """Which words a version has, and where: everything a query can ask of its text without reading the text.

    The database's own full-text index stands on `terms`: on SQLite FTS5, kept in step by triggers; on
    PostgreSQL a GIN index on the expression. Whoever rebuilds this table in a migration makes them again
    (knowledge.exact.store).
    """

    version = models.OneToOneField(Version, on_delete=models.CASCADE, related_name="wording")
    edition = models.PositiveSmallIntegerField()  # of the rules by which the text was read
    characters = models.PositiveIntegerField()  # of the text it was made from
    terms = models.TextField()  # the different words, folded, in order, with a space between
    # Arrays over all words in the order of the pages; little-endian.
    ids = models.BinaryField()  # uint32, which of the terms it is
    starts = models.BinaryField()  # uint32, its offset in the version's text
    lengths = models.BinaryField()  # uint8, its characters there
    sentences = models.BinaryField()  # uint32, the words that begin a sentence
    paragraphs = models.BinaryField()  # uint32, the words that begin a paragraph
    pages = models.BinaryField()  # uint32 pairs: the number of a page, its first word
    kinds = models.PositiveSmallIntegerField(
        default=0
    )  # a bit for each Page.Kind among its pages, in their order

    def __str__(self) -> str:
        return f"the words of {self.version}"
