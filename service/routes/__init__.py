"""The routes, a file per noun. Each lists its `ROUTES`."""

from service.door import Route
from service.routes import (
    clock,
    customers,
    deliveries,
    denials,
    docs,
    escalations,
    health,
    history,
    people,
    policies,
    requests,
    surveys,
    tickets,
    transitions,
)


def all_routes() -> tuple[Route, ...]:
    """Every route of the service, in the order in which `/docs` shows them."""
    return (
        *tickets.ROUTES,
        *escalations.ROUTES,
        *requests.ROUTES,
        *transitions.ROUTES,
        *history.ROUTES,
        *denials.ROUTES,
        *deliveries.ROUTES,
        *customers.ROUTES,
        *people.ROUTES,
        *policies.ROUTES,
        *surveys.ROUTES,
        *clock.ROUTES,
        *health.ROUTES,
        *docs.ROUTES,
    )
