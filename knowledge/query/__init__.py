"""The query language: from what a person typed to a tree, with the place of every mistake."""

from knowledge.query.errors import QueryError
from knowledge.query.parser import parse
from knowledge.query.tree import And, Field, Literal, Near, Node, Not, Or, Query

__all__ = ["And", "Field", "Literal", "Near", "Node", "Not", "Or", "Query", "QueryError", "parse"]
