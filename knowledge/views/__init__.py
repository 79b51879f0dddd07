"""The web pages. A view gets its object through `access`, makes one call and renders."""
