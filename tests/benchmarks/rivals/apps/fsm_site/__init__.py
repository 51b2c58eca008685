"""An escalation service as one builds it with Django, django-fsm-2 and the REST framework."""
