"""Forms made from the fields that the API knows, and what was typed into them made a call's body again.

A form is drawn from the same struct that the door checks: a new field of a trigger has its place here without a line.
Choices are of what the facts hold; whether one may be taken is the guards' to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from msgspec import Struct, inspect

from machines.asked import FieldProblem
from machines.decided import Failure
from service.console.words import spoken, with_offset

Pairs = Sequence[tuple[str, str]]
Choice = tuple[str, str]
"""A value and how it is said."""

LABELS = {
    "to": "To whom",
    "person": "Who, if not you",
    "code": "Reason code",
    "needed": "What is needed",
    "current_status": "Current status: what has been tried",
    "evidence": "Evidence: what the customer said",
    "detail": "In your words",
    "tags": "What kind of lesson",
    "workaround": "Workaround meanwhile",
    "ticket_id": "Ticket",
    "customer_id": "Customer",
    "escalation_id": "Escalation",
    "situation": "Situation",
}
NO_CHOICE = {
    "level": "As the matrix says, or the next",
    "code": "None",
    "person": "Yourself",
    "evidence": "None: the ticket or the acts are the evidence",
}
"""What leaving an optional choice open means."""
BESIDE = {
    "reason_given": "reason",
    "text_given": "text",
    "brief_complete": "brief",
    "brief_addressed_to_offered": "to",
    "successor_on_roster": "to",
    "successor_not_owner": "to",
    "person_on_roster": "person",
    "not_engaged": "person",
    "is_engaged": "person",
    "level_rises": "level",
    "level_falls": "level",
    "within_reach": "level",
    "opening_within_reach": "level",
    "code_known": "code",
    "criterion_evidenced": "criterion",
    "step_before_done": "step",
    "step_proved": "step",
    "situation_present": "situation",
    "situation_known": "situation",
    "ticket_known": "ticket_id",
    "actor_holds_authority": "authority",
    "level_holds_authority": "authority",
}
"""Beside which field a guard's sentence stands, where it judges one."""


Said = Mapping[str, tuple[str, str]]
"""By a field's name, its label and its open choice, where either is another."""
NOT_OTHERWISE: Said = {}


class Field(Struct, frozen=True):
    """One field as it is shown. `name` is its dotted path; a group has fields of its own."""

    name: str
    label: str
    kind: Literal["text", "line", "instant", "choice", "many", "group"]
    required: bool
    most: int = 10_000
    choices: tuple[Choice, ...] = ()
    open_choice: str = ""
    value: str = ""
    values: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()

    @property
    def id(self) -> str:
        """Within its form."""
        return self.name.replace(".", "-")


class Form(Struct, frozen=True):
    """A form with what was typed into it, and what is wrong. `elsewhere` are problems that no field is to blame for."""

    fields: tuple[Field, ...]
    problems: tuple[FieldProblem, ...] = ()
    elsewhere: tuple[str, ...] = ()


def form(
    kind: type[Struct],
    choices: Mapping[str, Sequence[Choice]],
    typed: Pairs = (),
    problems: Iterable[FieldProblem] = (),
    failed: Iterable[Failure] = (),
    said: Said = NOT_OTHERWISE,
) -> Form:
    """The form of these fields, filled with what was typed, each problem beside its field. `said`: where a field has
    another label or another open choice than in other forms."""
    names = {name for name, _ in leaves(kind)} | {field.name for field in _fields(kind)}
    told, elsewhere = list[FieldProblem](), list[str]()
    for problem in problems:
        if problem.field in names:
            told.append(problem)
        else:
            elsewhere.append(f"{spoken(problem.field)}: {problem.message}" if problem.field else problem.message)
    for failure in failed:
        where = BESIDE.get(failure.guard)
        if where in names and failure.guard != "brief_complete":
            told.append(FieldProblem(str(where), _with_who(failure)))
        else:
            elsewhere.append(_with_who(failure))
    fields = tuple(_shown(field, "", choices, typed, told, said) for field in _fields(kind))
    return Form(fields, tuple(told), tuple(elsewhere))


def _with_who(failure: Failure) -> str:
    could = f" Who could: {', '.join(failure.who_could)}." if failure.who_could else ""
    return failure.message + could


def value(kind: type[Struct], typed: Pairs) -> dict[str, Any]:
    """What was typed, as the body of a call. Blank fields are absent: the door says which must not be."""
    return _value(_fields(kind), "", typed)


def _value(fields: Iterable[inspect.Field], path: str, typed: Pairs) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields:
        name, part = f"{path}{field.encode_name}", _plain(field.type)
        if isinstance(part, inspect.StructType):
            inner = _value(part.fields, f"{name}.", typed)
            if inner or field.required:
                found[field.encode_name] = inner
            continue
        # A browser sends each line's end as two characters.
        given = [text.replace("\r\n", "\n") for field_name, text in typed if field_name == name and text.strip()]
        if given:
            found[field.encode_name] = _as_typed(part, given)
    return found


def _as_typed(part: inspect.Type, given: list[str]) -> Any:
    if isinstance(part, inspect.VarTupleType):
        return given
    text = given[-1]
    if isinstance(part, inspect.IntType) and text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text)
    if isinstance(part, inspect.BoolType):
        return {"true": True, "false": False}.get(text, text)
    return with_offset(text) if isinstance(part, inspect.DateTimeType) else text


@cache
def _fields(kind: type[Struct]) -> tuple[inspect.Field, ...]:
    told = inspect.type_info(kind)
    assert isinstance(told, inspect.StructType)
    # What must be given first, as it is listed; a brief, which is long, last.
    return tuple(sorted(told.fields, key=lambda f: (isinstance(_plain(f.type), inspect.StructType), not f.required)))


def leaves(kind: type[Struct]) -> Iterable[tuple[str, inspect.Field]]:
    """Every field that can be typed, by its dotted path."""
    for field in _fields(kind):
        part = _plain(field.type)
        if isinstance(part, inspect.StructType):
            yield from ((f"{field.encode_name}.{inner.encode_name}", inner) for inner in part.fields)
        else:
            yield field.encode_name, field


def _plain(kind: inspect.Type) -> inspect.Type:
    """Without the null that an absent field would be, and without what is only said of it."""
    if isinstance(kind, inspect.UnionType):
        return _plain(next(part for part in kind.types if not isinstance(part, inspect.NoneType)))
    return _plain(kind.type) if isinstance(kind, inspect.Metadata) else kind


def _shown(
    field: inspect.Field,
    path: str,
    choices: Mapping[str, Sequence[Choice]],
    typed: Pairs,
    problems: Sequence[FieldProblem],
    said: Said,
) -> Field:
    other = said.get(field.encode_name, ("", ""))
    name, part = f"{path}{field.encode_name}", _plain(field.type)
    values = tuple(text for typed_name, text in typed if typed_name == name)
    told: dict[str, Any] = {
        "name": name,
        "label": other[0] or LABELS.get(field.encode_name, spoken(field.encode_name)),
        "required": field.required,
        "open_choice": other[1] or NO_CHOICE.get(field.encode_name, "Choose"),
        "value": values[-1] if values else "",
        "values": values,
        "problems": tuple(problem.message for problem in problems if problem.field == name),
    }
    match part:
        case inspect.StructType():
            inner = (_shown(each, f"{name}.", choices, typed, problems, said) for each in part.fields)
            return Field(kind="group", fields=tuple(inner), **told)
        case inspect.VarTupleType():
            return Field(kind="many", choices=tuple((str(v), spoken(str(v))) for v in _options(part.item_type)), **told)
        case inspect.StrType() if name not in choices:
            long = part.max_length is not None and part.max_length > 1000
            return Field(kind="text" if long else "line", most=part.max_length or 200, **told)
        case inspect.DateTimeType():
            return Field(kind="instant", most=40, **told)
    if isinstance(part, inspect.BoolType):
        return Field(kind="choice", choices=(("true", "Yes"), ("false", "No")), **told)
    offered = choices.get(name) or tuple((str(v), spoken(str(v))) for v in _options(part))
    return Field(kind="choice", choices=tuple(offered), **told)


def _options(part: inspect.Type) -> Sequence[Any]:
    if isinstance(part, inspect.LiteralType):
        return part.values
    if isinstance(part, inspect.IntType):
        return range(part.ge or 0, (part.le or 0) + 1)
    return ()
