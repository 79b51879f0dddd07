"""Webhooks of a matter: where it tells other systems what happened, and what it told them."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from knowledge import access, outbound, queue, webhooks
from knowledge.api.auth import person_of
from knowledge.forms import WebhookForm
from knowledge.models import Delivery, Matter, Role, Webhook

SHOWN = 20  # deliveries of each


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """POST makes one, and shows the key that signs what it sends this once."""
    matter = access.matter_for(request.user, matter_id, Role.MANAGER)
    form = WebhookForm(request.POST if request.method == "POST" else None)
    made = _create(request, matter, form) if form.is_bound and form.is_valid() else None
    context = {"matter": matter, "rows": _shown(matter), "form": form, "made": made}
    return render(request, "matters/webhooks.html", context, status=422 if form.errors else 200)


@require_POST
def delete(request: HttpRequest, webhook_id: UUID) -> HttpResponse:
    hook = access.webhook_for(request.user, webhook_id)
    webhooks.delete(hook)
    messages.success(request, f"Nothing is sent to {hook.url} any more.")
    return redirect("webhooks", hook.matter_id)


@require_POST
def replay(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
    delivery = webhooks.replay(access.delivery_for(request.user, delivery_id))
    queue.send(queue.DELIVER)
    messages.success(request, "It is sent again.")
    return redirect("webhooks", delivery.webhook.matter_id)


def _create(request: HttpRequest, matter: Matter, form: WebhookForm) -> Webhook | None:
    try:
        chosen = form.cleaned_data
        return webhooks.create(matter, person_of(request), chosen["url"], chosen["events"])
    except outbound.Refused as error:
        form.add_error("url", str(error))
        return None


def _shown(matter: Matter) -> list[dict[str, Any]]:
    """Each webhook with its latest deliveries, in two queries."""
    place = Window(RowNumber(), partition_by="webhook", order_by=["-created", "-pk"])
    numbered = Delivery.objects.filter(webhook__matter=matter).annotate(place=place)
    sent: dict[Any, list[Delivery]] = defaultdict(list)
    for delivery in numbered.filter(place__lte=SHOWN).order_by("-created", "-pk"):
        sent[delivery.webhook_id].append(delivery)
    rows = matter.webhooks.select_related("by").order_by("-created")
    return [{"hook": row, "sent": sent[row.pk]} for row in rows]
