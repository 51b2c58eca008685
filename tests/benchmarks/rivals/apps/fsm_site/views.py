# mypy: disable-error-code="import-not-found, misc"
"""The transition's endpoint: token, serializer, row lock, guarded transition, history, commit."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.shortcuts import get_object_or_404
from django_fsm import TransitionNotAllowed
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .models import Escalation, History


class Change(serializers.Serializer):
    trigger = serializers.ChoiceField(["escalate", "step_down"])
    reason = serializers.CharField(max_length=4000)
    needed = serializers.CharField(max_length=4000)


class Moved(serializers.ModelSerializer):
    class Meta:
        model = Escalation
        fields = ("id", "state", "level", "version", "updated_at")


class Transitions(APIView):
    def post(self, request: Request, escalation_id: UUID) -> Response:
        change = Change(data=request.data)
        change.is_valid(raise_exception=True)
        asked: dict[str, Any] = change.validated_data
        trigger = asked.pop("trigger")
        with transaction.atomic():
            locked = Escalation.objects.select_for_update()
            escalation = get_object_or_404(locked, pk=escalation_id)
            source = escalation.state
            try:
                getattr(escalation, trigger)()
            except TransitionNotAllowed as refusal:
                return Response({"detail": str(refusal)}, status=status.HTTP_409_CONFLICT)
            escalation.version += 1
            escalation.save(update_fields=["state", "level", "version", "updated_at"])
            History.objects.create(
                escalation=escalation,
                version=escalation.version,
                actor=request.user.get_username(),
                trigger=trigger,
                source=source,
                dest=escalation.state,
                detail=asked,
            )
        return Response(Moved(escalation).data, status=status.HTTP_201_CREATED)
