"""Who may see a matter, where one is signed in, and what the audit says."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from knowledge.client.calls import Calls
from knowledge.client.shapes import (
    AuditEvent,
    Explanation,
    Group,
    Hold,
    KnownGroup,
    Member,
    Role,
    Session,
    Wall,
)


class Permissions(Calls):
    def roles(self) -> list[Role]:
        return [Role.model_validate(row) for row in self._told("GET", "/roles")]

    def members(self, matter_id: UUID) -> Iterator[Member]:
        return self._all(f"/matters/{matter_id}/members", Member)

    def set_member(self, matter_id: UUID, username: str, role: str) -> Member:
        path = f"/matters/{matter_id}/members/{quote(username)}"
        return Member.model_validate(self._told("PUT", path, json={"role": role}))

    def remove_member(self, matter_id: UUID, username: str) -> None:
        self._told("DELETE", f"/matters/{matter_id}/members/{quote(username)}")

    def known_groups(self) -> Iterator[KnownGroup]:
        return self._all("/groups", KnownGroup)

    def groups(self, matter_id: UUID) -> Iterator[Group]:
        return self._all(f"/matters/{matter_id}/groups", Group)

    def set_group(self, matter_id: UUID, group: str, role: str) -> Group:
        path = f"/matters/{matter_id}/groups/{quote(group)}"
        return Group.model_validate(self._told("PUT", path, json={"role": role}))

    def remove_group(self, matter_id: UUID, group: str) -> None:
        self._told("DELETE", f"/matters/{matter_id}/groups/{quote(group)}")

    def explain_access(self, matter_id: UUID, username: str) -> Explanation:
        """Why this person can or cannot see the matter."""
        told = self._told("GET", f"/matters/{matter_id}/access", params={"username": username})
        return Explanation.model_validate(told)

    def walls(self, matter_id: UUID) -> Iterator[Wall]:
        return self._all(f"/matters/{matter_id}/walls", Wall)

    def raise_wall(
        self,
        matter_id: UUID,
        reason: str,
        *,
        username: str | None = None,
        group: str | None = None,
        notice: str = "",
        until: datetime | None = None,
    ) -> Wall:
        """Against one person or one group; until it is lifted where no end is given."""
        body: dict[str, Any] = {"username": username, "group": group, "reason": reason, "notice": notice}
        body["until"] = until.isoformat() if until else None
        return Wall.model_validate(self._told("POST", f"/matters/{matter_id}/walls", json=body))

    def lift_wall(self, wall_id: UUID) -> Wall:
        return Wall.model_validate(self._told("POST", f"/walls/{wall_id}/lift"))

    def holds(self, matter_id: UUID) -> Iterator[Hold]:
        return self._all(f"/matters/{matter_id}/holds", Hold)

    def place_hold(self, matter_id: UUID, reason: str) -> Hold:
        told = self._told("POST", f"/matters/{matter_id}/holds", json={"reason": reason})
        return Hold.model_validate(told)

    def lift_holds(self, matter_id: UUID) -> int:
        """How many were lifted."""
        return int(self._told("POST", f"/matters/{matter_id}/holds/lift")["count"])

    def sessions(self) -> Iterator[Session]:
        return self._all("/sessions", Session)

    def end_session(self, session_id: int) -> None:
        self._told("DELETE", f"/sessions/{session_id}")

    def end_sessions(self) -> None:
        """Sign out of every browser."""
        self._told("DELETE", "/sessions")

    def audit(self, **wanted: str) -> Iterator[AuditEvent]:
        """Newest first; `wanted` are person, act, matter, since and until."""
        return self._all("/audit", AuditEvent, **wanted)

    def audit_chain(self) -> str:
        """The lines that `manage.py verify_audit` checks."""
        return self._bytes("/audit/export").decode()
