# mypy: disable-error-code="import-not-found"
"""Make the tables, 20,000 escalations, and one agent whose token is BENCH_TOKEN."""

import os

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402  # models need the set-up above
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

from fsm_site.models import Escalation  # noqa: E402

TIERS = ("enterprise", "professional", "starter")

call_command("migrate", "authtoken", verbosity=0)
call_command("migrate", run_syncdb=True, verbosity=0)
agent = User.objects.create_user("agent")
Token.objects.create(user=agent, key=os.environ["BENCH_TOKEN"])
Escalation.objects.bulk_create(Escalation(ticket=f"T-{n}", tier=TIERS[n % 3]) for n in range(20_000))
with connection.cursor() as cursor:
    cursor.execute("ANALYZE")
