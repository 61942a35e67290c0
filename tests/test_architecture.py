"""The house rules that no reviewer should have to remember: who may import whom, light start, sizes, no pickle."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
MODULES = sorted((SRC / "otolith").rglob("*.py"))

# Upper may import lower; rooms of one floor do not know each other.
FLOORS = (
    ("types",),
    ("config", "files", "palette"),
    ("data", "models", "objectives"),
    ("train",),
    ("explain", "export", "recognise"),
    ("evaluate",),
    ("cli",),
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = ("torch", "pandas", "sklearn", "scipy", "pyarrow", "matplotlib", "lightning_fabric", "tokenizers")


def module_name(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything of ours that the code names: at the top, inside functions, for types, by
    `import_module`, and as an attribute of the package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "otolith":
            yield node.lineno, f"otolith.{node.attr}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            # A literal or the literal beginning of an f-string; a name from elsewhere cannot be judged here.
            head = node.args[0].values[0] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
            if isinstance(head, ast.Constant) and isinstance(head.value, str):
                yield node.lineno, head.value


def violations(source: str, name: str, *, is_package: bool = False) -> list[str]:
    """What `source`, as module `name`, imports against the direction of the floors."""
    package = name if is_package else name.rpartition(".")[0]
    room = name.split(".")[1]
    if room not in LEVEL:
        return [f"{name}: room '{room}' is on no floor, add it to FLOORS"]
    found = []
    for line, target in imported(ast.parse(source), package):
        parts = target.split(".")
        if parts[0] != "otolith" or len(parts) == 1 or parts[1] == room or parts[1].startswith("__"):
            continue
        if parts[1] not in LEVEL:
            found.append(f"{name}:{line} imports {target} from the front door, import it from its room")
        elif LEVEL[parts[1]] >= LEVEL[room]:
            found.append(f"{name}:{line} imports {target}: '{parts[1]}' is not below '{room}'")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SRC / "otolith")))
def test_imports_point_downwards(path: Path) -> None:
    name = module_name(path)
    if name == "otolith":
        pytest.skip("the front door names every room, lazily; test_starts_light holds it to that")
    assert violations(path.read_text(), name, is_package=path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("otolith.data.store", "from otolith.train.engine import Engine"),
        ("otolith.data.store", "def f():\n    import otolith.cli.main"),
        ("otolith.models.io", "from otolith import data"),
        ("otolith.models.io", "from otolith import Dataset"),
        ("otolith.models.io", "import otolith\nx = otolith.Dataset"),
        ("otolith.models.io", "if TYPE_CHECKING:\n    from otolith.data.store import Dataset"),
        ("otolith.objectives.masked", "from ..models.encoder import Encoder"),
        ("otolith.recognise.enrol", "from otolith.evaluate.metrics import scores"),
        ("otolith.types", "from otolith.files import atomic_file"),
        ("otolith.data.converters", 'import_module(f"otolith.train.{name}")'),
        ("otolith.utils.misc", "x = 1"),
    ],
)
def test_a_planted_violation_is_found(name: str, source: str) -> None:
    assert len(violations(source, name)) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("otolith.cli.main", "from otolith.evaluate import results\nfrom otolith.types import DataError"),
        ("otolith.train.engine", "from otolith import __version__, models\nimport otolith\nx = otolith.__version__"),
        ("otolith.data.store", "from otolith.data import shards\nfrom .shards import gather_rows\nimport torch"),
    ],
)
def test_lawful_imports_pass(name: str, source: str) -> None:
    assert violations(source, name) == []


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        check=False,
    )


@pytest.mark.parametrize(
    "statement",
    [
        "import otolith; dir(otolith)",
        "import otolith.types, otolith.files",
        "import otolith.data.channels, otolith.data.labels, otolith.data.registry",
        "from otolith.cli.main import main; sys.argv = ['otolith', '--help']; main()",
        "from otolith.cli.main import main; sys.argv = ['otolith', '--version']; main()",
    ],
)
def test_starts_light(statement: str) -> None:
    """Neither the package nor `--help` waits for torch; without it they start in a fraction of a second."""
    result = run(
        f"import sys\ntry:\n    {statement}\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print(sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)"
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.strip() == "[]"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SRC / "otolith")))
def test_fits_on_a_page(path: Path) -> None:
    source = path.read_text()
    assert len(source.splitlines()) <= 400, "a module is one idea: part it"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} is too long to read at a glance"


def unsafe(source: str) -> list[str]:
    """Ways to run code that hides in data: pickles, and whatever loads them; eval and exec."""
    forbidden = {"eval", "exec", "torch.load", "joblib.load", "pd.read_pickle", "yaml.load", "yaml.unsafe_load"}
    pickles = {"pickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name] if name in forbidden or name.split(".")[0] in pickles else []
            found += [k.arg for k in node.keywords if k.arg == "allow_pickle" and ast.unparse(k.value) != "False"]
        elif isinstance(node, ast.Import):
            found += [f"import {a.name}" for a in node.names if a.name.split(".")[0] in pickles]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in pickles:
            found.append(f"from {node.module}")
        elif isinstance(node, ast.ClassDef):
            found += [ast.unparse(base) for base in node.bases if ast.unparse(base) == "pickle.Unpickler"]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SRC / "otolith")))
def test_nothing_unpickles(path: Path) -> None:
    found = unsafe(path.read_text())
    if path == SRC / "otolith/data/converters/spar.py":
        # Its source is published as a pickle: it is read by an Unpickler that resolves array types only.
        allowed = ("import pickle", "pickle.Unpickler", "pickle.UnpicklingError")
        found = [name for name in found if name not in allowed]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import load",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "pd.read_pickle(path)",
        "class U(pickle.Unpickler): ...",
    ],
)
def test_a_planted_pickle_is_found(source: str) -> None:
    assert len(unsafe(source)) == 1


def test_evaluation_mode_is_no_eval() -> None:
    assert unsafe("model.eval()\nnp.load(path, allow_pickle=False)\nyaml.safe_load(text)") == []


def test_names_no_private_place() -> None:
    """Nothing in the tree depends on one person's machine: only CI may look beside the checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    words = [b"/" + b"work/", b"/" + b"root/", b".." + b"/shared"]
    found = [
        f"{name}: {word.decode()}"
        for name in files
        if name and name != ".ci/run" and (ROOT / name).is_file()
        for word in words
        if word in (ROOT / name).read_bytes()
    ]
    assert found == []
