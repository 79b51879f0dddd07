"""The Django app that carries the service's commands; it has no models."""

from django.apps import AppConfig


class IngestionConfig(AppConfig):
    name = "ingestion"
