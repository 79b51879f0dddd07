"""The REST API, version 1. Its operations call the same functions as the pages."""

from ninja.security import django_auth

from knowledge.api import answers, documents, idempotency, matters, problems, runs, search, tokens, uploads
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
for resource in (matters, documents, uploads, search, answers, runs, tokens):
    api.add_router("", resource.router)
problems.install(api)
