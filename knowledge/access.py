"""The only door to matters and what is in them.

Every view, API operation and command that acts for a person gets its objects here. What does not exist and
what the person may not see are the same `Http404`; a member who lacks the role gets `PermissionDenied`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import AnonymousUser, Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404
from django.utils import timezone

from knowledge.audit import trace
from knowledge.listed import among
from knowledge.models import (
    Answer,
    ApiToken,
    Delivery,
    Document,
    GroupMembership,
    Job,
    Matter,
    Membership,
    Role,
    Run,
    SavedSearch,
    SignIn,
    Transfer,
    Upload,
    Verdict,
    Version,
    Wall,
    Webhook,
)
from knowledge.models.sign_in import SignInQuerySet
from knowledge.models.token import came_with
from knowledge.prepared import Prepared, by_id

Person = User | AnonymousUser

AUDITORS = "Auditors"  # the group of those who read the audit, and by it nothing else
_SEAL = object()


@dataclass(frozen=True)
class Scope:
    """The matters and documents a person may read for this request. Made only in this module."""

    user_id: int
    matter_ids: frozenset[UUID]
    document_ids: frozenset[UUID] | None = None  # None: every document of those matters
    seal: object = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("A Scope is made only by knowledge.access.")

    @property
    def is_empty(self) -> bool:
        return not self.matter_ids or self.document_ids == frozenset()


def open_to(user_id: int, now: datetime | None = None) -> QuerySet[Matter]:
    """The one query that decides: the matters that this person is a member of, by name or by a group, and
    that no wall keeps from them now. It is asked anew each time, so what is taken away is gone at once.
    """
    here = OuterRef("pk")
    by_name = Exists(Membership.objects.filter(matter=here, user=user_id))
    by_group = Exists(GroupMembership.objects.filter(matter=here, group__user=user_id))
    walled = Exists(Wall.objects.standing(now).against(user_id).filter(matter=here))
    is_active = Exists(User.objects.filter(pk=user_id, is_active=True))
    return Matter.objects.filter(by_name | by_group, ~walled, is_active)


# The same query, built once: search asks it several times each time. And the roles of members.
_USER: dict[str, Any] = {"user_id": -987_654_321}
_MATTER: dict[str, Any] = {"matter_id": UUID(int=7)}
_OPEN_NOW = {**_USER, "now": datetime(1, 2, 3, 4, 5, 6, 7, tzinfo=UTC)}
_OPEN = Prepared(open_to, **_OPEN_NOW)
_IS_OPEN = Prepared(lambda matter_id, **rest: open_to(**rest).filter(pk=matter_id), **_MATTER, **_OPEN_NOW)
_BY_NAME = Prepared(
    lambda user_id, matter_id: Membership.objects.filter(matter=matter_id, user=user_id),
    column="role",
    **_USER,
    **_MATTER,
)
_BY_GROUP = Prepared(
    lambda user_id, matter_id: GroupMembership.objects.filter(matter=matter_id, group__user=user_id),
    column="role",
    **_USER,
    **_MATTER,
)


def open_ids(user_id: int, matter_id: UUID | None = None) -> frozenset[UUID]:
    """Of the matters that are open to this person now, or of this one alone if it is."""
    now = timezone.now()
    if matter_id is None:
        return _OPEN.ids(user_id=user_id, now=now)
    return _IS_OPEN.ids(user_id=user_id, now=now, matter_id=matter_id)


def matters_of(person: Person) -> QuerySet[Matter]:
    if person.pk is None or not person.is_authenticated:
        return Matter.objects.none()
    rows, limited = open_to(person.pk), _limited(person)
    return rows.filter(api_tokens=limited) if limited else rows


def role_in(person: Person, matter: Matter) -> Role | None:
    """The highest role, by name or by a group; None when the person may not see the matter at all."""
    if matter.pk not in _matter_ids(person, matter.pk):
        return None
    member = {"user_id": person.pk, "matter_id": matter.pk}
    held = [*_BY_NAME.values(**member), *_BY_GROUP.values(**member)]
    return Role(max(held)) if held else None


def managers_of(matter: Matter) -> QuerySet[User]:
    """The active people who manage the matter now, by name or by a group, and are not walled off."""
    manager = Role.MANAGER
    by_name = Exists(matter.memberships.filter(user=OuterRef("pk"), role=manager))
    by_group = Exists(matter.group_memberships.filter(group__user=OuterRef("pk"), role=manager))
    walls = matter.walls.standing()
    walled = Exists(walls.filter(Q(user=OuterRef("pk")) | Q(group__user=OuterRef("pk"))))
    return User.objects.filter(by_name | by_group, ~walled, is_active=True)


def groups_for(person: Person) -> QuerySet[Group]:
    """For managers: their own groups, and those in the matters that they manage. Anybody may open a matter;
    that shall not tell them what the firm calls its groups. Another group is let in by its exact name.
    """
    manages = Q(memberships__user=person.pk, memberships__role=Role.MANAGER) | Q(
        group_memberships__group__user=person.pk, group_memberships__role=Role.MANAGER
    )
    managed = matters_of(person).filter(manages)
    if not managed.exists():
        raise PermissionDenied("This needs the role “Manager” in a matter.")
    let_in = GroupMembership.objects.filter(matter__in=managed)
    own = Group.objects.filter(user=person.pk)
    return Group.objects.filter(Q(pk__in=own.values("pk")) | Q(pk__in=let_in.values("group")))


def matter_for(person: Person, matter_id: UUID, role: Role = Role.READER) -> Matter:
    matter = by_id(Matter, _matter_ids(person, matter_id)).get(matter_id)
    if matter is None:
        raise Http404("No such matter.")
    trace.opened(matter.pk)
    _require(person, matter, role)
    return matter


def document_for(person: Person, document_id: UUID, role: Role = Role.READER) -> Document:
    rows = Document.objects.select_related("matter", "current")
    document = rows.filter(pk=document_id, matter__in=matters_of(person)).first()
    if document is None:
        raise Http404("No such document.")
    trace.opened(document.matter_id)
    _require(person, document.matter, role)
    return document


def version_for(person: Person, version_id: UUID) -> Version:
    rows = Version.objects.select_related("document__matter")
    version = rows.filter(pk=version_id, document__matter__in=matters_of(person)).first()
    if version is None:
        raise Http404("No such document.")
    trace.opened(version.document.matter_id)
    return version


def upload_for(person: Person, upload_id: UUID, role: Role = Role.READER) -> Upload:
    rows = Upload.objects.select_related("matter")
    upload = rows.filter(pk=upload_id, matter__in=matters_of(person)).first()
    if upload is None:
        raise Http404("No such upload.")
    trace.opened(upload.matter_id)
    _require(person, upload.matter, role)
    return upload


def transfer_for(person: Person, transfer_id: UUID) -> Transfer:
    """Only who may upload has to do with files that are still on their way."""
    rows = Transfer.objects.select_related("upload__matter")
    transfer = rows.filter(pk=transfer_id, upload__matter__in=matters_of(person)).first()
    if transfer is None:
        raise Http404("No such transfer.")
    trace.opened(transfer.upload.matter_id)
    _require(person, transfer.upload.matter, Role.MEMBER)
    return transfer


def job_for(person: Person, job_id: UUID, role: Role = Role.READER) -> Job:
    rows = Job.objects.select_related("matter", "version__document__matter")
    job = rows.filter(pk=job_id, matter__in=matters_of(person)).first()
    if job is None:
        raise Http404("No such job.")
    trace.opened(job.matter_id)
    _require(person, job.matter, role)
    return job


def webhook_for(person: Person, webhook_id: UUID) -> Webhook:
    """Only who manages the matter has to do with its webhooks."""
    rows = Webhook.objects.select_related("matter")
    hook = rows.filter(pk=webhook_id, matter__in=matters_of(person)).first()
    if hook is None:
        raise Http404("No such webhook.")
    trace.opened(hook.matter_id)
    _require(person, hook.matter, Role.MANAGER)
    return hook


def delivery_for(person: Person, delivery_id: UUID) -> Delivery:
    rows = Delivery.objects.select_related("webhook__matter")
    delivery = rows.filter(pk=delivery_id, webhook__matter__in=matters_of(person)).first()
    if delivery is None:
        raise Http404("No such delivery.")
    trace.opened(delivery.webhook.matter_id)
    _require(person, delivery.webhook.matter, Role.MANAGER)
    return delivery


def answer_for(person: Person, answer_id: UUID) -> Answer:
    answers = Answer.objects.select_related("matter", "asker")
    answer = answers.filter(pk=answer_id, matter__in=matters_of(person)).first()
    if answer is None:
        raise Http404("No such answer.")
    trace.opened(answer.matter_id)
    return answer


def wall_for(person: Person, wall_id: UUID) -> Wall:
    """Only who manages the matter has to do with its walls."""
    wall = Wall.objects.select_related("matter").filter(pk=wall_id, matter__in=matters_of(person)).first()
    if wall is None:
        raise Http404("No such wall.")
    trace.opened(wall.matter_id)
    _require(person, wall.matter, Role.MANAGER)
    return wall


def _limited(person: Person) -> ApiToken | None:
    """The token they came with, when it is limited to some matters: then it is not all of them."""
    token = came_with(person)
    return token if token and token.is_limited else None


def sign_ins_of(person: Person) -> SignInQuerySet:
    """Where this person is signed in."""
    if _limited(person):
        raise PermissionDenied("A token that is limited to some matters has nothing to do with sessions.")
    found: SignInQuerySet = SignIn.objects.filter(user=person.pk)
    return found


def sign_in_for(person: Person, sign_in_id: int) -> SignIn:
    """Where this person is signed in; that of others is nobody's business."""
    found = sign_ins_of(person).filter(pk=sign_in_id).first()
    if found is None:
        raise Http404("No such session.")
    return found


def factor_for(person: Person, factor_id: int) -> Authenticator:
    """A second factor of this person; those of others are nobody's business. Recovery codes are none."""
    kinds = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]
    found = Authenticator.objects.filter(pk=factor_id, user=person.pk, type__in=kinds).first()
    if found is None:
        raise Http404("No such factor.")
    return found


def tokens_of(person: Person) -> QuerySet[ApiToken]:
    """The tokens of this person; one that is limited to some matters sees itself alone."""
    rows, limited = ApiToken.objects.filter(user=person.pk), _limited(person)
    return rows.filter(pk=limited.pk) if limited else rows


def token_for(person: Person, token_id: int) -> ApiToken:
    """A token of this person; tokens of others are nobody's business."""
    limited = _limited(person)
    if limited and limited.pk != token_id:
        raise PermissionDenied("A token that is limited to some matters revokes itself alone.")
    token = tokens_of(person).filter(pk=token_id).first()
    if token is None:
        raise Http404("No such token.")
    return token


def is_auditor(person: Person) -> bool:
    """By the group alone: being an administrator does not make an auditor."""
    return person.pk is not None and person.groups.filter(name=AUDITORS).exists()


def is_still_auditor(user_id: int) -> bool:
    return User.objects.filter(pk=user_id, is_active=True, groups__name=AUDITORS).exists()


def auditor(person: Person) -> None:
    """Only auditors know that there is an audit to read."""
    if not is_auditor(person):
        raise Http404("There is nothing here.")


def followed_for(person: Person, matter: Matter, answer_id: UUID) -> Answer:
    """The answer of this matter after which something is asked."""
    answer = answer_for(person, answer_id)
    if answer.matter_id != matter.pk:
        raise Http404("No such answer.")
    return answer


def run_for(person: Person, run_id: UUID, role: Role = Role.READER) -> Run:
    """Whoever asked may do with the run what else needs a role."""
    run = (
        Run.objects.select_related("matter", "asker").filter(pk=run_id, matter__in=matters_of(person)).first()
    )
    if run is None:
        raise Http404("No such run.")
    trace.opened(run.matter_id)
    if run.asker_id != person.pk:
        _require(person, run.matter, role)
    return run


def verdict_for(person: Person, run_id: UUID, document_id: UUID, role: Role = Role.READER) -> Verdict:
    run = run_for(person, run_id, role)
    verdict = Verdict.objects.select_related("document").filter(run=run, document=document_id).first()
    if verdict is None:
        raise Http404("No such verdict.")
    return verdict


def scope_for(
    person: Person, matter: Matter | None = None, document_ids: Iterable[UUID] | None = None
) -> Scope:
    """What this person may read: everything of theirs, or one matter, or some documents of it."""
    matter_ids = _matter_ids(person, None if matter is None else matter.pk)
    documents = None
    if document_ids is not None:
        readable = Document.objects.filter(pk__in=among(set(document_ids)), matter__in=matter_ids)
        documents = frozenset(readable.values_list("pk", flat=True))
    return Scope(person.pk or 0, matter_ids, documents, seal=_SEAL)


def _matter_ids(person: Person, matter_id: UUID | None) -> frozenset[UUID]:
    """Those of `matters_of`, or this one if it is among them."""
    if person.pk is None or not person.is_authenticated:
        return frozenset()
    if _limited(person) is None:
        return open_ids(person.pk, matter_id)
    rows = matters_of(person) if matter_id is None else matters_of(person).filter(pk=matter_id)
    return frozenset(rows.values_list("pk", flat=True))


def narrowed(scope: Scope, document_ids: Iterable[UUID]) -> Scope:
    """The part of a scope that these documents are; never more than it was."""
    documents = frozenset(document_ids)
    if scope.document_ids is not None:
        documents &= scope.document_ids
    return Scope(scope.user_id, scope.matter_ids, documents, seal=_SEAL)


def documents_in(scope: Scope) -> QuerySet[Document]:
    """The documents of a scope that the person may read now: the second lock of what asks the rows."""
    rows = Document.objects.filter(matter_id__in=scope.matter_ids, matter__in=open_to(scope.user_id))
    return rows if scope.document_ids is None else rows.filter(pk__in=among(scope.document_ids))


def saved_search_for(person: Person, search_id: UUID) -> SavedSearch:
    """Everybody's saved searches are their own, and only while they may see the matter."""
    rows = SavedSearch.objects.select_related("matter").filter(user=person.pk, matter__in=matters_of(person))
    saved = rows.filter(pk=search_id).first()
    if saved is None:
        raise Http404("No such search.")
    trace.opened(saved.matter_id)
    return saved


def _require(person: Person, matter: Matter, role: Role) -> None:
    trace.needed(role)
    held = role_in(person, matter)
    if held is None or held < role:
        raise PermissionDenied(f"This needs the role “{role.label}” in the matter.")
