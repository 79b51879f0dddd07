"""Rows, permissions, the index schema, search, answers, web pages and the REST API."""
