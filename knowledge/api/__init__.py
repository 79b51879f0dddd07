"""The REST API, version 1. Its operations call the same functions as the pages."""

from ninja import NinjaAPI
from ninja.security import django_auth

from knowledge.api import answers, documents, matters, problems, search, uploads
from knowledge.api.auth import TokenAuth

api = NinjaAPI(
    title="Pincite",
    version="1",
    description="Search and ask case files; every citation is checked verbatim against its source.",
    auth=[TokenAuth(), django_auth],  # a session counts only with its CSRF token
    urls_namespace="api",
)
for resource in (matters, documents, uploads, search, answers):
    api.add_router("", resource.router)
problems.install(api)
