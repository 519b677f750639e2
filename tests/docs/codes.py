"""The stable codes of refusals and failures, found in the source by its syntax trees."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.clients.mistakes import Conflict, Invalid, NotAllowed, NotFound, TooMany
from gateway.policy import Unavailable

CHECKOUT = Path(__file__).parents[2]
PACKAGES = ("gateway", "policies")
ELSEWHERE = ("gateway/demo/", "gateway/doctor/", "gateway/providers/metadata.py")
"""The demo's identity provider speaks OAuth's own codes; nobody but the doctor hears its own; the reasons in
metadata.py end in `provider_metadata`."""
OTHER_REFUSALS = ("gateway/clients", "gateway/portal/")
"""Where refusals are those of wishes about clients, and no answers to calls; failures are the same everywhere.

Their codes stand in docs/client-management.md."""
TABLES = {"gateway/fetch.py": "FAULTS", "gateway/admin.py": "_CODES"}
"""Where codes are kept in a table, and looked up by what went wrong."""


@dataclass(frozen=True, slots=True)
class Maker:
    """A call that makes a refusal or failure: where its code and its status stand among the arguments."""

    code: int
    status: int | None = None
    usual: int = 0
    """The status where none is given."""
    error: str = ""
    """The OAuth error code that goes with it."""


MAKERS: Mapping[str, Maker] = {
    "Deny": Maker(code=1, status=0),
    "BadRequest": Maker(code=0, status=2, usual=400),
    "Unavailable": Maker(code=1, usual=503),
    "Unusable": Maker(code=0, usual=400, error="invalid_request"),
    "Invalid": Maker(code=0, usual=401, error="invalid_token"),
    "Rejected": Maker(code=0, usual=401, error="invalid_token"),
    "invalid_request": Maker(code=1, usual=400, error="invalid_request"),
    "invalid_token": Maker(code=1, usual=401, error="invalid_token"),
    "_refuse": Maker(code=3, status=0, error="insufficient_scope"),
    "forbidden": Maker(code=0, usual=403),
}


@dataclass(slots=True)
class Problem:
    """What the source says of one code."""

    statuses: set[int] = field(default_factory=set)
    errors: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Findings:
    """All codes, and the calls whose code could not be read off."""

    problems: dict[str, Problem] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def add(self, code: str, status: int, error: str = "") -> None:
        """Note that the code is answered with that status; 0 is one that depends."""
        problem = self.problems.setdefault(code, Problem())
        problem.statuses.update({status} - {0})
        problem.errors.update({error} - {""})


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the product, by its path in the checkout."""
    for package in PACKAGES:
        for path in sorted((CHECKOUT / package).rglob("*.py")):
            name = path.relative_to(CHECKOUT).as_posix()
            if not name.startswith(ELSEWHERE):
                yield name, ast.parse(path.read_text())


def find_codes() -> Findings:
    """The codes of the whole source."""
    modules = dict(sources())
    constants = {name: value for tree in modules.values() for name, value in constants_of(tree)}
    findings = Findings()
    findings.add(inspect.signature(Unavailable).parameters["code"].default, 503)
    for name, tree in modules.items():
        for function, call in _calls(tree, None):
            _read_call(findings, name, function, call, constants)
        if name in TABLES:
            for code, status in _table(tree, TABLES[name]):
                findings.add(code, status)
    return findings


def find_refusals() -> dict[str, set[int]]:
    """The codes of what people are refused about applications and contracts, with their statuses."""
    kinds = {kind.__name__: kind.status for kind in (Invalid, Conflict, TooMany)}
    found = {"not_allowed": {NotAllowed.status}, "not_found": {NotFound.status}}
    for module, tree in sources():
        calls = (call for _, call in _calls(tree, None)) if module.startswith(OTHER_REFUSALS) else ()
        for call in calls:
            name = ast.unparse(call.func).removeprefix("mistakes.")
            match _argument(call, 1, "code"):
                case ast.Constant(value=str() as code) if name in kinds:
                    found.setdefault(code, set()).add(kinds[name])
    return found


def constants_of(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names of a module that stand for texts."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str() as value)):
                yield name, value


def _calls(node: ast.AST, function: ast.AST | None) -> Iterator[tuple[ast.AST | None, ast.Call]]:
    """Each call, and the function that it stands in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield function, child
        inside = child if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield from _calls(child, inside)


def _read_call(
    findings: Findings, module: str, function: ast.AST | None, call: ast.Call, constants: Mapping[str, str]
) -> None:
    name = _maker_name(call)
    if name is None or (name != "Unavailable" and module.startswith(OTHER_REFUSALS)):
        return
    maker = MAKERS[name]
    given = _argument(call, maker.code, "code")
    match given:
        case None if name == "Unavailable":
            return
        case ast.Constant(value=str() as code):
            findings.add(code, _status(call, maker), maker.error)
        case ast.Name(id=constant) if constant in constants:
            findings.add(constants[constant], _status(call, maker), maker.error)
        case ast.Attribute(attr="code"):
            return  # it was made elsewhere, and is passed on
        case ast.Name(id=variable) if variable in _parameters(function) or module in TABLES:
            return
        case _:
            findings.unread.append(f"{module}:{call.lineno}: {ast.unparse(call)}")


def _maker_name(call: ast.Call) -> str | None:
    match call.func:
        case ast.Name(id=name) if name in MAKERS:
            return name
        case ast.Attribute(value=ast.Name(id="bearer"), attr=name) if name in MAKERS:
            return name
    return None


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return call.args[position] if position < len(call.args) else None


def _status(call: ast.Call, maker: Maker) -> int:
    given = None if maker.status is None else _argument(call, maker.status, "status")
    match given:
        case None:
            return maker.usual
        case ast.Constant(value=int() as status):
            return status
        case _:
            return 0


def _parameters(function: ast.AST | None) -> set[str]:
    if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
        return set()
    return {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}


def _table(tree: ast.Module, name: str) -> Iterator[tuple[str, int]]:
    """The codes in a table of a module: the values of a dictionary by status, or the second members of its rows."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=found)], value=ast.Dict() as table) if found == name:
                for status, code in ast.literal_eval(table).items():
                    yield code, status
            case ast.AnnAssign(target=ast.Name(id=found), value=ast.Tuple(elts=rows)) if found == name:
                for row in rows:
                    assert isinstance(row, ast.Tuple)
                    yield ast.literal_eval(row.elts[1]), 503
