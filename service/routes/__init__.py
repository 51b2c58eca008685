"""The routes, a file per noun. Each lists its `ROUTES`."""

from service.door import Route
from service.routes import (
    clock,
    clocks,
    customers,
    deliveries,
    denials,
    docs,
    erasures,
    escalations,
    events,
    exports,
    health,
    history,
    inbound,
    moves,
    people,
    policies,
    proofs,
    requests,
    rotas,
    slack,
    stories,
    tickets,
    transitions,
)


def all_routes() -> tuple[Route, ...]:
    """Every route of the service, in the order in which `/docs` shows them."""
    return (
        *tickets.ROUTES,
        *clocks.ROUTES,
        *escalations.ROUTES,
        *stories.ROUTES,
        *requests.ROUTES,
        *inbound.ROUTES,
        *slack.ROUTES,
        *transitions.ROUTES,
        *history.ROUTES,
        *events.ROUTES,
        *exports.ROUTES,
        *proofs.ROUTES,
        *denials.ROUTES,
        *deliveries.ROUTES,
        *customers.ROUTES,
        *erasures.ROUTES,
        *people.ROUTES,
        *rotas.ROUTES,
        *policies.ROUTES,
        *moves.ROUTES,
        *clock.ROUTES,
        *health.ROUTES,
        *docs.ROUTES,
    )
