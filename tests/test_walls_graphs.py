"""Random memberships, groups and walls against an oracle in plain Python: no stale read, ever.

PINCITE_TEST_GRAPHS sequences (12; `make soak` takes 1,000), in parts that processes can share.
"""

import os
from collections import defaultdict
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from knowledge import access, matters, search, walls
from knowledge.models import Matter, Membership, Role
from tests.test_access import make_passage

SEQUENCES = int(os.environ.get("PINCITE_TEST_GRAPHS", "12"))
PARTS = 1 if SEQUENCES < 100 else 20
PEOPLE, GROUPS, MATTERS = 3, 2, 2
person, group, matter = (st.integers(0, count - 1) for count in (PEOPLE, GROUPS, MATTERS))
role = st.sampled_from(list(Role))
days = st.integers(-2, 2)


class Graph(RuleBasedStateMachine):
    """What was done to the database is noted beside it; after each step both must agree."""

    begun = 0

    def __init__(self) -> None:
        super().__init__()
        Graph.begun += 1
        self.people = [User.objects.create(username=f"p{n}") for n in range(PEOPLE)]
        self.groups = [Group.objects.create(name=f"g{n}") for n in range(GROUPS)]
        self.matters = [Matter.objects.create(name=f"m{n}") for n in range(MATTERS)]
        self.passages = [make_passage(each) for each in self.matters]
        self.scopes: list = []  # made at some time before, and still in somebody's hands
        self.active = set(range(PEOPLE))
        self.in_group: dict[int, set[int]] = defaultdict(set)
        self.by_name: dict[tuple[int, int], Role] = {}
        self.by_group: dict[tuple[int, int], Role] = {}
        self.walls: list[dict] = []
        self.steps = 0

    def teardown(self) -> None:
        for each in self.matters:
            each.delete()
        for row in (*self.people, *self.groups):
            row.delete()

    @rule(p=person, m=matter, r=role)
    def let_in(self, p, m, r):
        Membership.objects.update_or_create(matter=self.matters[m], user=self.people[p], defaults={"role": r})
        self.by_name[p, m] = r

    @rule(p=person, m=matter)
    def take_out(self, p, m):
        try:
            matters.remove_member(self.matters[m], self.people[p])
        except matters.LastManager:
            return
        self.by_name.pop((p, m), None)

    @rule(g=group, m=matter, r=role)
    def let_group_in(self, g, m, r):
        try:
            matters.set_group(self.matters[m], self.groups[g], r)
        except matters.LastManager:
            return
        self.by_group[g, m] = r

    @rule(g=group, m=matter)
    def take_group_out(self, g, m):
        try:
            matters.remove_group(self.matters[m], self.groups[g])
        except matters.LastManager:
            return
        self.by_group.pop((g, m), None)

    @rule(p=person, g=group, joins=st.booleans())
    def change_group(self, p, g, joins):
        (self.people[p].groups.add if joins else self.people[p].groups.remove)(self.groups[g])
        (self.in_group[g].add if joins else self.in_group[g].discard)(p)

    @rule(p=person, is_active=st.booleans())
    def close_account(self, p, is_active):
        User.objects.filter(pk=self.people[p].pk).update(is_active=is_active)
        (self.active.add if is_active else self.active.discard)(p)

    @rule(m=matter, p=person, g=group, by_group=st.booleans(), since=days, until=st.none() | days)
    def raise_wall(self, m, p, g, by_group, since, until):
        now = timezone.now()
        ends = None if until is None else now + timedelta(days=until, seconds=-1)
        terms = walls.Terms("r", since=now + timedelta(days=since, seconds=-1), until=ends)
        against = self.groups[g] if by_group else self.people[p]
        try:
            row = walls.raise_wall(self.matters[m], against, terms, None)
        except (matters.LastManager, walls.NeverStands):
            return
        stands = since <= 0 and (until is None or until > 0)
        self.walls.append(
            {"row": row, "m": m, "p": None if by_group else p, "g": g if by_group else None, "stands": stands}
        )

    @rule(n=st.integers(0, 9))
    def lift_wall(self, n):
        if n < len(self.walls):
            walls.lift(self.walls[n]["row"])
            self.walls[n]["stands"] = False

    @rule(p=person)
    def take_a_scope(self, p):
        self.scopes.append((p, access.scope_for(self.people[p])))

    @invariant()
    def each_person_sees_what_the_oracle_says(self):
        """All that is open to each, and the role in the matter whose turn it is."""
        self.steps += 1
        turn = self.steps % MATTERS
        for p, user in enumerate(self.people):
            expected = {row.pk for m, row in enumerate(self.matters) if self.oracle(p, m)}
            assert expected == access.scope_for(user).matter_ids
            assert expected == set(access.matters_of(user).values_list("pk", flat=True))
            assert access.role_in(user, self.matters[turn]) == self.oracle(p, turn), (p, turn)

    @invariant()
    def no_scope_of_yesterday_opens_what_is_closed_today(self):
        for p, scope in self.scopes:
            read = set(search.readable(scope, [passage.pk for passage in self.passages]))
            allowed = {passage.pk for m, passage in enumerate(self.passages) if self.oracle(p, m)}
            assert read <= allowed

    @invariant()
    def the_managers_are_those_of_the_oracle(self):
        for m, row in enumerate(self.matters):
            found = set(access.managers_of(row).values_list("username", flat=True))
            assert found == {f"p{p}" for p in range(PEOPLE) if self.oracle(p, m) == Role.MANAGER}

    def oracle(self, p: int, m: int) -> Role | None:
        groups = {g for g in range(GROUPS) if p in self.in_group[g]}
        for wall in self.walls:
            if wall["stands"] and wall["m"] == m and (wall["p"] == p or wall["g"] in groups):
                return None
        roles = [self.by_name.get((p, m)), *(self.by_group.get((g, m)) for g in groups)]
        held = [each for each in roles if each is not None]
        return max(held) if held and p in self.active else None


@pytest.mark.django_db
@pytest.mark.parametrize("part", range(PARTS))
def test_access_agrees_with_the_oracle_after_every_step(part):
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
    chosen = settings(
        max_examples=SEQUENCES // PARTS,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=checks,
        database=None,
    )
    begun = Graph.begun
    run_state_machine_as_test(Graph, settings=chosen)
    assert Graph.begun - begun >= SEQUENCES // PARTS
    assert connection.in_atomic_block
