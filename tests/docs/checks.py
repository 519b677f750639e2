"""The checks of `tokenward doctor`, found by its syntax trees."""

import ast

from tests.docs.codes import CHECKOUT, constants_of

RESULTS = frozenset({"ok", "warning", "failure", "skipped"})


def find_checks() -> set[str]:
    """The names under which the doctor tells what it found."""
    trees = [ast.parse(path.read_text()) for path in sorted((CHECKOUT / "gateway/doctor").glob("*.py"))]
    names = {name: value for tree in trees for name, value in constants_of(tree)}
    found = {_check(call, names) for tree in trees for call in ast.walk(tree) if isinstance(call, ast.Call)}
    return found - {""}


def _check(call: ast.Call, names: dict[str, str]) -> str:
    match call:
        case ast.Call(func=ast.Name(id=result), args=[ast.Constant(value=str() as check), *_]) if result in RESULTS:
            return check
        case ast.Call(func=ast.Name(id=result), args=[ast.Name(id=name), *_]) if result in RESULTS and name in names:
            return names[name]
    return ""
