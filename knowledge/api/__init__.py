"""The REST API, version 1. Its operations call the same functions as the pages."""

from ninja.security import django_auth

from knowledge.api import (
    answers,
    audit,
    chat,
    documents,
    events,
    groups,
    idempotency,
    jobs,
    matters,
    members,
    problems,
    runs,
    search,
    service,
    sessions,
    tokens,
    uploads,
    versions,
    walls,
    webhooks,
)
from knowledge.api.auth import TokenAuth
from knowledge.api.bodies import JsonParser
from knowledge.api.openapi import Api

api = Api(
    title="Pincite",
    version="1",
    description="Search and ask case files; every citation is checked verbatim against its source.",
    auth=[TokenAuth(), django_auth],  # a session counts only with its CSRF token
    parser=JsonParser(),
    urls_namespace="api",
)
api.add_decorator(idempotency.once)
RESOURCES = (
    matters,
    members,
    groups,
    walls,
    documents,
    versions,
    uploads,
    jobs,
    search,
    answers,
    events,
    runs,
    chat,
    webhooks,
    tokens,
    sessions,
    audit,
    service,
)
for resource in RESOURCES:
    api.add_router("", resource.router)
problems.install(api)
