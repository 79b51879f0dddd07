"""Where a person is signed in: one row for each session, so that they can see and end them."""

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.utils import timezone


class SignInQuerySet(models.QuerySet["SignIn"]):
    def open(self) -> "SignInQuerySet":
        """Those whose session still holds."""
        held = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
        return self.filter(session_key__in=held)


class SignIn(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True)
    address = models.CharField(max_length=64, blank=True)
    agent = models.CharField(max_length=300, blank=True)  # what the browser says it is
    at = models.DateTimeField(auto_now_add=True)

    objects = SignInQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.user} at {self.at:%Y-%m-%d %H:%M}"

    def end(self) -> None:
        """From the next request on, and within two seconds in an open stream."""
        with transaction.atomic():
            Session.objects.filter(pk=self.session_key).delete()
            self.delete()
