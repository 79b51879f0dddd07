"""Saying where something stands, and linking to it in the document viewer."""

from collections.abc import Mapping
from urllib.parse import urlencode

from django import template
from django.urls import reverse

from knowledge.exact.places import Place
from knowledge.models import Citation, Finding, Passage, Version
from knowledge.pins import at

register = template.Library()


register.filter("at", at)


@register.filter
def of(values: Mapping[object, object], key: object) -> object:
    """What a mapping holds for a key that the template computed; nothing if it holds none."""
    return values.get(key, "")


@register.simple_tag
def pin_url(row: Citation | Finding | Passage) -> str:
    """The viewer's address for a citation, a finding or a passage, with its span highlighted."""
    page = row.page_first if isinstance(row, Passage) else row.page
    return viewer_url(row.version, page=page, start=row.start, end=row.end) + "#pin"


@register.simple_tag
def place_url(place: Place) -> str:
    """The viewer's address for a place that a search found."""
    query = urlencode(
        {"version": place.version_id, "page": place.page, "start": place.start, "end": place.end}
    )
    return f"{reverse('document', args=[place.document_id])}?{query}#pin"


def viewer_url(version: Version, **place: int) -> str:
    query = urlencode({"version": version.pk, **place})
    return f"{reverse('document', args=[version.document_id])}?{query}"
