"""Stored bytes to searchable passages, on the queue."""
