# mypy: disable-error-code="import-not-found, untyped-decorator, misc"
# This runs in the rival's environment; Django is not in the one where types are checked.
"""The yardstick's two tables, with django-fsm-2's guarded transitions on the escalation."""

import uuid

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django_fsm import FSMField, transition


class Escalation(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    ticket = models.TextField()
    tier = models.TextField()
    state = FSMField(default="l1", protected=True)
    level = models.SmallIntegerField(default=1)
    owner = models.TextField(null=True)
    version = models.IntegerField(default=1)
    opened_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    doc = models.JSONField(default=dict)

    class Meta:
        indexes = (models.Index(fields=["state", "updated_at"]),)

    def has_tier(self) -> bool:
        return bool(self.tier)

    @transition(field=state, source="l1", target="l2", conditions=[has_tier])
    def escalate(self) -> None:
        self.level = 2

    @transition(field=state, source="l2", target="l1", conditions=[has_tier])
    def step_down(self) -> None:
        self.level = 1


class History(models.Model):
    escalation = models.ForeignKey(Escalation, on_delete=models.PROTECT, db_index=False)
    version = models.IntegerField()
    at = models.DateTimeField(auto_now_add=True)
    actor = models.TextField()
    trigger = models.TextField()
    source = models.TextField()
    dest = models.TextField()
    detail = models.JSONField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["escalation", "version"], name="gap_free"),)
        indexes = (BrinIndex(fields=["at"]),)
