"""What the API tells where the sources of an answer differ."""

from ninja import Schema
from pydantic import Field

from knowledge.differences import Difference


class DifferenceOut(Schema):
    """Citations of two documents that say the same thing with another date, amount, share or period."""

    citations: list[int] = Field(description="Their two numbers.", examples=[[1, 3]])
    values: list[str] = Field(
        description="What each of them says, in the same order.", examples=[["30 June 2023", "2023-09-15"]]
    )

    @staticmethod
    def of(found: Difference) -> "DifferenceOut":
        return DifferenceOut(citations=[found.one, found.other], values=list(found.values))
