"""schemathesis over the whole document, against a running service: no 5xx, and no answer that the document lacks.

One call at a time, right and wrong, of each operation; and chains, in which what one call answers (an id, a version)
goes into the next.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis import GenerationMode, checks
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation

from service import openapi
from service.routes import all_routes
from tests.service.threaded import Town

JSON = "application/json"
CHECKS: list[Any] = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
# A key is sent with every request, so that nothing else than what is tested here is wrong with it.
SCHEMA = schemathesis.openapi.from_dict({**openapi.describe(all_routes()), "security": []})
OPERATIONS: dict[str, Any] = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}  # type: ignore[union-attr]
RIGHT, WRONG = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
NOTHING_TO_GET_WRONG = {"GET /v1/clock", "GET /v1/history/checkpoint"} | {
    f"{route.method} {route.path}"
    for route in all_routes()
    if route.public or route.content != (JSON,) or JSON not in route.accepts
}
CASES = [
    (label, mode)
    for label in OPERATIONS
    for mode in (RIGHT, WRONG)
    if mode == RIGHT or label not in NOTHING_TO_GET_WRONG
]
CALLERS = ("root", "ann", "vic", "desk")
IDS = {"tickets": "T-1", "customers": "acme", "people": "ann", "deliveries": "1", "rotas": "leads"}
"""Ids that there are, or may be."""
ANSWERS_WITHIN = 60
"""Seconds."""


@dataclass
class Conforming:
    """Calls as this seed says (None: the same ones each time); `answers` counts them by their status, `findings` are
    the answers in chains that are not as the document says."""

    town: Town
    seed: int | None = None
    answers: Counter[int] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def settings(self, examples: int, **more: Any) -> hypothesis.settings:
        """So many examples; a found one is made smaller, but nothing is kept."""
        return hypothesis.settings(
            max_examples=examples,
            derandomize=self.seed is None,
            database=None,
            deadline=None,
            **{"phases": (Phase.generate, Phase.shrink), **more},
            suppress_health_check=list(HealthCheck),
        )

    def one_by_one(self, label: str, mode: GenerationMode, examples: int) -> None:
        """So many calls of an operation; raises for the first answer that is not as the document says."""
        noun = label.partition("/v1/")[2].partition("/")[0]
        there = IDS.get(noun, self.town.escalation)
        with requests.Session() as session:

            @self.settings(examples)
            @given(
                case=OPERATIONS[label].as_strategy(mode),
                which=st.sampled_from([there, there, there, None]),
                who=st.sampled_from(CALLERS),
            )
            def conforms(case: Any, which: str | None, who: str) -> None:
                path = case.meta.components.get(ParameterLocation.PATH)
                if which is not None and path is not None and path.mode == RIGHT:
                    case.path_parameters["id"] = which
                if mode == WRONG and case.headers:
                    case.headers.pop("If-Match", None)  # a stale version is told before a wrong field
                self._checked(case.call(session=session, **self._sent(who)), case)

            if self.seed is not None:
                conforms = hypothesis.seed(self.seed)(conforms)
            conforms()

    def chained(self, chains: int, steps: int) -> None:
        """So many chains of so many calls. A chain can't be told again, for the service remembers the first time: so
        nothing is made smaller, and what is found is kept."""
        with requests.Session() as session:
            told = self

            class Chain(SCHEMA.as_state_machine()):  # type: ignore[misc]
                """What one call answers goes into the next; one caller in each chain."""

                begun = 0

                def setup(self) -> None:
                    Chain.begun += 1

                def get_call_kwargs(self, case: Any) -> dict[str, Any]:
                    return {"session": session, **told._sent(CALLERS[Chain.begun % len(CALLERS)])}

                def validate_response(self, response: Any, case: Any, *_: Any, **__: Any) -> None:
                    try:
                        told._checked(response, case)
                    except FailureGroup as failed:
                        told.findings.append(f"{case.operation.label}: {failed}")

            how = self.settings(chains, stateful_step_count=steps, phases=(Phase.generate,))
            while Chain.begun < chains:
                if self.seed is not None:
                    hypothesis.seed(self.seed + Chain.begun)(Chain)
                with suppress(FlakyStrategyDefinition):  # it was told again, and the service remembered: begin anew
                    Chain.run(settings=how)

    def _sent(self, who: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.town.keys[who]}"}
        return {"base_url": self.town.base, "headers": headers, "timeout": ANSWERS_WITHIN}

    def _checked(self, response: Any, case: Any) -> None:
        self.answers[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)
