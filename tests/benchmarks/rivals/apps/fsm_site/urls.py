# mypy: disable-error-code="import-not-found"
"""One address."""

from django.urls import path

from .views import Transitions

urlpatterns = [path("escalations/<uuid:escalation_id>/transitions", Transitions.as_view())]
