"""Webhooks over REST, for those who manage the matter."""

from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from knowledge import access, queue, webhooks
from knowledge.api import cursors
from knowledge.api.auth import person_of
from knowledge.models import Delivery, Role, Webhook

router = Router(tags=["webhooks"])


class WebhookIn(Schema):
    url: str = Field(max_length=500, examples=["https://hooks.example.com/pincite"])
    events: list[Webhook.Event] = Field(min_length=1, examples=[["document.done", "document.failed"]])


class WebhookOut(Schema):
    id: UUID
    matter_id: UUID
    url: str
    events: list[Webhook.Event]
    created: datetime

    @staticmethod
    def of(row: Webhook) -> "WebhookOut":
        return WebhookOut(
            id=row.pk,
            matter_id=row.matter_id,
            url=row.url,
            events=[Webhook.Event(event) for event in row.events],
            created=row.created,
        )


class NewWebhookOut(WebhookOut):
    secret: str = Field(description="Signs what is sent; shown this once.", examples=["whsec_…"])


class DeliveryOut(Schema):
    id: UUID = Field(description="Also the header `webhook-id`: the same when it comes again.")
    event: Webhook.Event
    data: dict[str, str]
    state: Delivery.State
    attempts: int
    due_at: datetime
    status: int | None = Field(description="Of the last response.")
    reason: str
    created: datetime
    finished: datetime | None

    @staticmethod
    def of(row: Delivery) -> "DeliveryOut":
        plain = ("data", "attempts", "due_at", "status", "reason", "created", "finished")
        return DeliveryOut(
            id=row.pk,
            event=Webhook.Event(row.event),
            state=Delivery.State(row.state),
            **{name: getattr(row, name) for name in plain},
        )


@router.get("/matters/{uuid:matter_id}/webhooks", response=list[WebhookOut], summary="Webhooks of a matter")
def list_webhooks(
    request: HttpRequest, response: HttpResponse, matter_id: UUID, at: Query[cursors.Place]
) -> list[WebhookOut]:
    rows = access.matter_for(person_of(request), matter_id, Role.MANAGER).webhooks.all()
    return [WebhookOut.of(row) for row in cursors.piece(request, response, rows, ("-created", "-pk"), at)]


@router.post(
    "/matters/{uuid:matter_id}/webhooks", response={201: NewWebhookOut}, summary="Be told what happens"
)
def create_webhook(request: HttpRequest, matter_id: UUID, body: WebhookIn) -> Status[NewWebhookOut]:
    person = person_of(request)
    matter = access.matter_for(person, matter_id, Role.MANAGER)
    hook = webhooks.create(matter, person, body.url, list(body.events))
    return Status(HTTPStatus.CREATED, NewWebhookOut(**WebhookOut.of(hook).model_dump(), secret=hook.secret))


@router.get("/webhooks/{uuid:webhook_id}", response=WebhookOut, summary="One webhook")
def get_webhook(request: HttpRequest, webhook_id: UUID) -> WebhookOut:
    return WebhookOut.of(access.webhook_for(person_of(request), webhook_id))


@router.delete("/webhooks/{uuid:webhook_id}", response={204: None}, summary="Be told no more")
def delete_webhook(request: HttpRequest, webhook_id: UUID) -> Status[None]:
    webhooks.delete(access.webhook_for(person_of(request), webhook_id))
    return Status(HTTPStatus.NO_CONTENT, None)


@router.get(
    "/webhooks/{uuid:webhook_id}/deliveries",
    response=list[DeliveryOut],
    summary="What was sent, newest first",
)
def list_deliveries(
    request: HttpRequest, response: HttpResponse, webhook_id: UUID, at: Query[cursors.Place]
) -> list[DeliveryOut]:
    rows = access.webhook_for(person_of(request), webhook_id).deliveries.all()
    return [DeliveryOut.of(row) for row in cursors.piece(request, response, rows, ("-created", "-pk"), at)]


@router.post("/deliveries/{uuid:delivery_id}/replay", response={202: DeliveryOut}, summary="Send it again")
def replay_delivery(request: HttpRequest, delivery_id: UUID) -> Status[DeliveryOut]:
    delivery = webhooks.replay(access.delivery_for(person_of(request), delivery_id))
    queue.send(queue.DELIVER)
    return Status(HTTPStatus.ACCEPTED, DeliveryOut.of(delivery))
