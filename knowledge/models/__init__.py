"""The rows. One file per resource; state questions are methods of the row they ask."""

from knowledge.models.answer import Answer, Citation, Evidence
from knowledge.models.audit import AuditAnchor, AuditEvent, AuditText
from knowledge.models.description import Correspondent, Kind
from knowledge.models.document import Document, Likeness, Page, Passage, Version
from knowledge.models.forgetting import Forgetting
from knowledge.models.generation import Generation, Indexed
from knowledge.models.hold import Hold
from knowledge.models.job import Job
from knowledge.models.matter import Matter, Membership, Role
from knowledge.models.preference import Preference
from knowledge.models.replay import Replay
from knowledge.models.run import Finding, Run, Step, Verdict
from knowledge.models.saved import SavedSearch
from knowledge.models.service import ServiceAccount
from knowledge.models.sign_in import SignIn
from knowledge.models.token import ApiToken, Right
from knowledge.models.upload import Refused, Transfer, Upload
from knowledge.models.wall import GroupMembership, Wall
from knowledge.models.webhook import Delivery, Webhook
from knowledge.models.wording import Wording

__all__ = [
    "Answer",
    "ApiToken",
    "AuditAnchor",
    "AuditEvent",
    "AuditText",
    "Citation",
    "Correspondent",
    "Delivery",
    "Document",
    "Evidence",
    "Finding",
    "Forgetting",
    "Generation",
    "GroupMembership",
    "Hold",
    "Indexed",
    "Job",
    "Kind",
    "Likeness",
    "Matter",
    "Membership",
    "Page",
    "Passage",
    "Preference",
    "Refused",
    "Replay",
    "Right",
    "Role",
    "Run",
    "SavedSearch",
    "ServiceAccount",
    "SignIn",
    "Step",
    "Transfer",
    "Upload",
    "Verdict",
    "Version",
    "Wall",
    "Webhook",
    "Wording",
]
