"""No error ends in an empty cause."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.causes import cause, named_cause
from tests.support import CHECKOUT

ERRORS = re.compile(r"(\w+Error|\bBaseException|\bException)\b")
ROOMS = ("benchmarks", "infrastructure", "tasks")


def formatted_bare(tree: ast.AST) -> Iterator[int]:
    """Lines that put an exception into a text as it is: in an f-string, or by str."""
    for scope, names in scopes(tree):
        for node in ast.walk(scope):
            value: ast.expr | None = None
            if isinstance(node, ast.FormattedValue) and node.conversion != ord("r"):
                value = node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str":
                value = next(iter(node.args), None)
            if isinstance(value, ast.Name) and value.id in names:
                yield value.lineno


def scopes(tree: ast.AST) -> Iterator[tuple[ast.AST, set[str]]]:
    """What handles an error or is given one, with the names of those."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.name:
            yield node, {node.name}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            yield node, {a.arg for a in arguments if a.annotation and ERRORS.search(ast.unparse(a.annotation))}


@pytest.mark.parametrize("room", ROOMS)
def test_every_place_that_formats_an_error_says_its_cause(room: str) -> None:
    found = [
        f"{path.relative_to(CHECKOUT)}:{line}"
        for path in sorted((CHECKOUT / room).rglob("*.py"))
        if path != Path(CHECKOUT / "tasks" / "causes.py")
        for line in formatted_bare(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_the_test_would_find_one() -> None:
    code = "try: pass\nexcept OSError as e:\n print(f'{e}')\n print(str(e))\n print(f'{e!r}')\n print(f'{e.errno}')"
    assert sorted(formatted_bare(ast.parse(code))) == [3, 4]
    assert list(formatted_bare(ast.parse("def words(e: OSError | None, o: int):\n return f'{o}' + str(e)"))) == [2]


@pytest.mark.parametrize("error", [OSError(), TimeoutError(), ConnectionError("  "), OSError(24, "Too many")])
def test_a_cause_is_never_empty(error: BaseException) -> None:
    assert (str(error).strip() or type(error).__name__) in cause(error)
    assert named_cause(error).startswith(type(error).__name__)
    assert not named_cause(error).endswith(": ")


def test_an_error_without_words_names_what_it_came_of() -> None:
    error = RuntimeError()
    error.__cause__ = OSError(24, "Too many open files")
    assert cause(error) == "RuntimeError, of [Errno 24] Too many open files"
