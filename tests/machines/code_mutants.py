"""Change the code of the rules that no table holds, one thing at a time: the clock's, the order of commands, what an
effect sets. The changes are general, made from the syntax tree: nothing here knows a line.

A condition always or never holds; one of several conditions is dropped (but where it only asks for None, which mypy
sees); `<` and `<=` change places; a call or a store is left out; a field is not set. A test of this folder that takes
seconds must fail each time.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import importlib
import inspect
import io
import multiprocessing
import signal
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings
from msgspec import Struct

WORKERS = 2
HERE = Path(__file__).parent
PLACES = """
machines.clock         armed fire _keep_due _engage _unanswered on_duty_changed _may_take
machines.reports       report _carried _solved _reopened
machines.waiting       too_old waits timers rearm fire _p1_by _p1_due _clock_due
machines.sla           Reading.state read _stretches _met_at _terms _reopened _marks armed _next _untold warning
machines.sla           followed folded
machines.calendar      Calendar.worked Calendar.counted Calendar.after Calendar._periods read _worked_on zone_known
machines.calendar      since_plus _offsets _jump
machines.decide        _changed_timers _transition
machines.world         World.must_wait World.escalation_of World.absorb World._count holders
machines.opening       wanted rearmed
machines.handoff       place
machines.offers        _offer _enter _next_page engage escalate step_down resume brief accept decline reassign repage
machines.deescalation  de_escalate _answered_for _ended holds _acted _customer_said
machines.deescalation  complete_step _notify_chain _told_of_the_end
machines.repeats       reported repeat why _similar _distinct _same_words after
machines.flags         flag _new _begin
machines.effects       join update_customer remind rate
machines.matrix        Policy.page_after
"""
TESTS = (
    "clock ownership reports flags situations repeats waiting calendar sla deescalation handoff world matrix golden"
    " walk races properties"
)
"""The tests that are asked, the quick ones first."""

HELD = """
engage_by respond_by page_by next_update_by engage respond update p1 due due_at
handoff owner status to kind declined accepted_at superseded
target_level situations settled p0_since p1_since solved_since reported version changes top writer
""".split()  # noqa: SIM905  # words are read more easily
"""What clocks and races hang on: fields that a rule might forget to set. Texts and messages are shown elsewhere."""


class CodeMutant(Struct, frozen=True):
    """The `number`th change of a function; `what` tells it."""

    module: str
    function: str
    number: int
    what: str

    @property
    def place(self) -> str:
        """Module and function."""
        return f"{self.module.removeprefix('machines.')}.{self.function}"

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def found(module: str, function: str) -> FunctionType:
    """The function of this name."""
    got: object = importlib.import_module(module)
    for name in function.split("."):
        got = getattr(got, name)
    assert callable(got)
    got = inspect.unwrap(got)  # a function whose answers are kept
    assert isinstance(got, FunctionType)
    return got


def tree_of(function: FunctionType) -> ast.FunctionDef:
    """Its syntax tree."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree


def code_of(tree: ast.FunctionDef, function: FunctionType) -> CodeType:
    """What a changed tree does, in the place of the function."""
    bare = copy.copy(tree)
    bare.decorator_list = []
    module = ast.fix_missing_locations(ast.Module([bare], []))
    made: dict[str, Any] = {}
    flags = importlib.import_module("__future__").annotations.compiler_flag
    exec(compile(module, inspect.getfile(function), "exec", flags, dont_inherit=True), function.__globals__, made)
    code = made[tree.name].__code__
    assert isinstance(code, CodeType)
    return code


# What is changed --------------------------------------------------------------------------------------------------

Change = tuple[str, Callable[[], None]]
SWAPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
SETTERS = {"replace", "structs.replace", "_enter", "clock_does", "_offer", "place"}
"""Calls whose named arguments are what a rule sets."""


def changes(tree: ast.FunctionDef) -> Iterator[Change]:
    """What may be changed in this tree, in its order, and how."""
    for node in ast.walk(tree):
        match node:
            case ast.If(test=test) | ast.IfExp(test=test):
                typed = isinstance(node, ast.IfExp) and _narrows(test, [node.body])
                for always in (False,) if typed else (True, False):
                    yield f"{always} for `{ast.unparse(test)}`", _set(node, "test", ast.Constant(always))
            case ast.match_case(guard=ast.expr() as guard):
                for always in (True, False):
                    yield f"{always} for `{ast.unparse(guard)}`", _set(node, "guard", ast.Constant(always))
            case ast.BoolOp(op=op, values=values):
                for i, value in enumerate(values):
                    if _narrows(value, values) or _fallback(value):
                        continue
                    neutral = ast.Constant(isinstance(op, ast.And))
                    yield f"without `{ast.unparse(value)}`", _put(values, i, neutral)
            case ast.Compare(ops=[op]) if type(op) in SWAPPED:
                yield f"at the boundary of `{ast.unparse(node)}`", _set(node, "ops", [SWAPPED[type(op)]()])
            case ast.Dict(keys=keys, values=values):
                for i, key in enumerate(keys):
                    if isinstance(key, ast.Constant) and key.value in HELD:
                        yield f"without {key.value!r}", _drop(keys, i, values)
            case ast.Call(func=func, keywords=keywords) if ast.unparse(func) in SETTERS:
                for i, word in enumerate(keywords):
                    if word.arg in HELD:
                        yield f"without `{word.arg}=` in {ast.unparse(func)}", _drop(keywords, i)
        for body in (getattr(node, name, None) for name in ("body", "orelse")):
            for i, line in enumerate(body if isinstance(body, list) else ()):
                stores = isinstance(line, ast.Assign) and not isinstance(line.targets[0], ast.Name)
                calls = isinstance(line, ast.Expr) and isinstance(line.value, ast.Call)
                if isinstance(body, list) and (stores or calls or isinstance(line, ast.AugAssign)):
                    yield f"without `{ast.unparse(line)}`", _put(body, i, ast.Pass())


def _narrows(value: ast.expr, values: list[ast.expr]) -> bool:
    """`x is None`, or `x`, where the rest asks something of x: it is there for the types, and mypy sees to it."""
    asked = ast.unparse(value.left if isinstance(value, ast.Compare) else value)
    plain = isinstance(value, ast.Name | ast.Attribute)
    none = isinstance(value, ast.Compare) and isinstance(value.ops[0], ast.Is | ast.IsNot)
    rest = (ast.unparse(node) for other in values if other is not value for node in ast.walk(other))
    return (plain or none) and asked in rest


def _fallback(value: ast.expr) -> bool:
    """The empty text or mapping in `x or ""`: for the sake of types too."""
    return isinstance(value, ast.Constant | ast.Dict) and not ast.literal_eval(value)


def _set(node: ast.AST, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(node, name, value)


def _drop(values: list[Any], i: int, *more: list[Any]) -> Callable[[], None]:
    def drop() -> None:
        for each in (values, *more):
            del each[i]

    return drop


def _put(body: list[Any], i: int, line: ast.AST) -> Callable[[], None]:
    def put() -> None:
        body[i] = line

    return put


def code_mutants() -> Iterator[CodeMutant]:
    """Every change of every function in `PLACES`."""
    for line in PLACES.strip().splitlines():
        module, *functions = line.split()
        for function in functions:
            for number, (what, _) in enumerate(changes(tree_of(found(module, function)))):
                yield CodeMutant(module, function, number, what)


@contextlib.contextmanager
def mutated(mutant: CodeMutant) -> Iterator[None]:
    """The function does something else meanwhile, by whatever name it is known."""
    function = found(mutant.module, mutant.function)
    tree, before = tree_of(function), function.__code__
    list(changes(tree))[mutant.number][1]()
    function.__code__ = code_of(tree, function)
    try:
        yield
    finally:
        function.__code__ = before


# Who notices ------------------------------------------------------------------------------------------------------


class Judge:
    """A plugin of pytest: where the tests would run, each mutant runs them in a process of its own till one fails."""

    def __init__(self, some: list[CodeMutant], told: Callable[[CodeMutant, str | None], None]) -> None:
        self.some, self.told = some, told

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Called once, when all tests are collected."""
        files = [f"test_{name}" for name in TESTS.split()]
        # The files in their order, and of each what is drawn last: a plain test tells at once.
        COLLECTED[:] = sorted(session.items, key=lambda item: (files.index(item.path.stem), _drawn(item)))
        with multiprocessing.get_context("fork").Pool(WORKERS, maxtasksperchild=1) as pool:
            assert pool.apply(first_failure, (None,)) is None, "the tests themselves fail"
            for mutant, killer in zip(self.some, pool.imap(first_failure, self.some), strict=True):
                self.told(mutant, killer)
        return True


def _drawn(item: pytest.Item) -> bool:
    return hasattr(getattr(item, "obj", None), "hypothesis")


COLLECTED: list[pytest.Item] = []
"""What a forked process finds ready."""
ENDS_WITHIN, AGAIN_EVERY = 60.0, 5.0
"""Seconds of its own processor time that all tests may take of one mutant, two to three times what they take: a machine
that is busy with others kills none. What goes round for ever, and what tries it again, is stopped."""


class Endless(Exception):  # noqa: N818  # what the test says that it fails by
    """With this change something does not end."""


def _stop(signum: int, frame: object) -> None:
    raise Endless


def first_failure(mutant: CodeMutant | None) -> str | None:
    """The first test that fails, or does not end; None: the mutant survives."""
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, ENDS_WITHIN if mutant else 0.0, AGAIN_EVERY)
    try:
        with mutated(mutant) if mutant else contextlib.nullcontext(), contextlib.redirect_stdout(io.StringIO()):
            for item, following in zip(COLLECTED, [*COLLECTED[1:], None], strict=True):
                if any(report.failed for report in runtestprotocol(item, log=False, nextitem=following)):
                    return item.nodeid.rpartition("/")[2]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    return None


def judge(some: list[CodeMutant], told: Callable[[CodeMutant, str | None], None]) -> None:
    """Tell of each mutant the first test that fails."""
    # The first example that fails will do: nobody reads the smallest, or wants it kept.
    settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate), database=None, derandomize=True)
    settings.load_profile("mutants")
    files = [str(HERE / f"test_{name}.py") for name in TESTS.split()]
    pytest.main(["-q", "-s", "-p", "no:cacheprovider", *files], plugins=[Judge(some, told)])
