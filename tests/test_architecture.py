"""Dependencies run one way, and what is slow to import is imported late."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "audit").rglob("*.py"), *(ROOT / "pipelines").rglob("*.py")])
STAGES = {path.parent.name for path in (ROOT / "audit").glob("*/__init__.py")}
ABOVE_ALL = {"registry.py", "gating.py"}
ABOVE_STAGES = {"registry", "gating", "causes", "results"}
ALLOWED_ABOVE = {"render": {"causes", "results"}}
HEAVY = {"tensorflow", "keras"}
HEAVY_ROOMS = {"representations", "training", "keras_runtime.py", "feature_maps.py",
               "network_cut.py"}


def imports(tree):
    """Full names of all modules that a tree imports, and of what it imports from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute, else this test is blind"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module")
              and node.args and isinstance(node.args[0], ast.Constant)):
            yield node.args[0].value


def at_import_time(tree):
    """The tree without its functions and without what only a type checker reads."""
    class Pruned(ast.NodeTransformer):
        def visit_FunctionDef(self, node):
            return ast.copy_location(ast.Pass(), node)

        def visit_If(self, node):
            if ast.unparse(node.test) == "TYPE_CHECKING":
                return ast.copy_location(ast.Pass(), node)
            return self.generic_visit(node)

    return Pruned().visit(tree)


def parts_of(name):
    return [*name.split("."), "", ""][:3]


def read(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path):
    return path.relative_to(ROOT).as_posix()


every_source = pytest.mark.parametrize("path", SOURCES, ids=name_of)


def test_the_walk_sees_the_sources():
    assert {"checks", "ingest", "measures", "render", "representations"} <= STAGES
    assert {"audit/registry.py", "audit/checks/label.py", "pipelines/cli.py"} <= {
        name_of(path) for path in SOURCES}
    assert "cleanlab.filter.find_label_issues" in set(
        imports(read(ROOT / "audit" / "checks" / "label.py")))
    assert "tensorflow" in set(
        imports(read(ROOT / "audit" / "keras_runtime.py")))


@every_source
def test_dependencies_run_one_way(path):
    package, room, *_ = path.relative_to(ROOT).parts
    if package == "pipelines":
        return
    stage = room if room in STAGES else None
    for name in imports(read(path)):
        top, target, _ = parts_of(name)
        assert top != "pipelines", f"audit knows nothing of pipelines, but imports {name}"
        if top != "audit" or (stage is None and room in ABOVE_ALL):
            continue
        assert target not in STAGES - {stage}, f"{name} is a sibling or above"
        if stage is not None:
            assert target not in ABOVE_STAGES - ALLOWED_ABOVE.get(stage, set()), name


@every_source
def test_tensorflow_and_cleanlab_stay_in_their_rooms(path):
    parts = path.relative_to(ROOT).parts
    found = {parts_of(name)[0] for name in imports(read(path))}
    if parts[1] not in HEAVY_ROOMS:
        assert not found & HEAVY
    if parts[:2] != ("audit", "checks"):
        assert "cleanlab" not in found
    late = {parts_of(name)[0] for name in imports(at_import_time(read(path)))}
    assert not late & (HEAVY | {"cleanlab", "ray"})


@pytest.mark.parametrize(("code", "absent"), [
    ("import audit.registry, pipelines.cli; audit.registry.all_checks()",
     {"tensorflow", "keras", "cleanlab", "matplotlib"}),
    ("import audit.representations, pipelines.audit_dataset",
     {"tensorflow", "keras", "cleanlab", "matplotlib"}),
    ("import pipelines.remedy_dataset",
     {"tensorflow", "keras", "cleanlab", "matplotlib", "sklearn", "imblearn"}),
    ("import pipelines.cli; pipelines.cli.app(['--help'], standalone_mode=False)",
     {"tensorflow", "keras", "cleanlab", "matplotlib", "pandas", "numpy", "sklearn"}),
], ids=["checks", "pipeline", "fix", "help"])
def test_slow_imports_wait_until_they_are_needed(code, absent):
    script = f"{code}\nimport sys\nprint('LOADED', *(one for one in sys.modules if '.' not in one))"
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True,
                           text=True, timeout=60, check=True)
    loaded = set(ended.stdout.rpartition("LOADED")[2].split())
    assert "pipelines" in loaded
    assert not loaded & absent
