"""Making service accounts. Only administrators do, by `manage.py service_account` or in `/admin/`."""

from django.contrib.auth.models import User
from django.db import transaction

from knowledge import audit
from knowledge.audit import Act
from knowledge.models import ServiceAccount


def create(name: str, purpose: str, by: User | None = None) -> ServiceAccount:
    """Always a new user without a password. Raises ValidationError for a name that is taken or none."""
    user = User(username=name)
    user.set_unusable_password()
    user.full_clean()
    with transaction.atomic():
        user.save()
        made = ServiceAccount.objects.create(user=user, purpose=purpose, by=by)
        audit.record(Act.ADMIN, f"user:{user.pk}", details={"service account": "made"})
    return made
