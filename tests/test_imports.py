"""The import rules: packages depend one way; measuring loads no training framework and no renderer."""

import ast
import configparser
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Package -> the project's packages that it may import.
MAY_IMPORT = {
    "scenes": {"scenes"},
    "keypoints": {"scenes", "keypoints"},
    "segmentation": {"scenes", "segmentation"},
    "deploy": {"scenes", "keypoints", "segmentation", "deploy"},
    "experiments": {"scenes", "keypoints", "segmentation", "deploy", "experiments"},
}
ANSWER_PATH_LIBRARIES = {"numpy", "cv2", "PIL", "openvino"}
OPENCV_DECODERS = {
    "imread", "imreadmulti", "imreadanimation", "imdecode", "imdecodemulti", "imdecodeanimation", "VideoCapture",
}  # fmt: skip
NOT_WHEN_MEASURING = {
    "mxnet", "gluoncv", "tensorflow", "keras", "torch", "onnx", "onnxruntime", "tf2onnx", "pandas",
    "matplotlib", "scipy", "skimage", "sklearn", "mitsuba", "drjit", "trimesh", "jinja2", "ray",
}  # fmt: skip


def modules_on_disk() -> dict[str, Path]:
    """Every module of the five packages: dotted name -> file."""
    found = {}
    for package in MAY_IMPORT:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules_on_disk()
PACKAGES = sorted(name for name, path in MODULES.items() if path.name == "__init__.py")
COMMAND_FILES = sorted(name for name in MODULES if name.endswith((".commands", ".measure_command")))


def statements(tree: ast.AST, into_functions: bool):
    """All nodes of a module, without those inside functions unless wanted (class bodies run at import)."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not into_functions:
            continue
        yield node
        yield from statements(node, into_functions)


def imported_modules(source: str, module: str, is_package: bool, into_functions: bool) -> set[str]:
    """Dotted names that a source imports; `from a import b` gives a and a.b; relative ones are resolved."""
    names = set()
    for node in statements(ast.parse(source), into_functions):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = module.split(".") if is_package else module.split(".")[:-1]
                here = here[: len(here) - (node.level - 1)]
                base = ".".join([*here, base] if base else here)
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def imports_of(module: str, into_functions: bool = True) -> set[str]:
    path = MODULES[module]
    return imported_modules(path.read_text(), module, path.name == "__init__.py", into_functions)


def roots(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def third_party(names: set[str]) -> set[str]:
    return roots(names) - set(sys.stdlib_module_names) - set(MAY_IMPORT)


def loaded_with(module: str) -> set[str]:
    """The project's modules that importing `module` runs, its parent packages among them."""
    loaded, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in MODULES or name in loaded:
            continue
        loaded.add(name)
        waiting.extend(imports_of(name, into_functions=False))
        waiting.extend([name.rpartition(".")[0]] if "." in name else [])
    return loaded


def test_the_walk_sees_every_form_of_import():
    source = "import a.b\nfrom c import d\nfrom . import e\nfrom .f import g\ndef h():\n    import late\n"
    at_import = imported_modules(source, "pack.mod", is_package=False, into_functions=False)
    assert at_import == {"a.b", "c", "c.d", "pack", "pack.e", "pack.f", "pack.f.g"}
    everything = imported_modules(source, "pack.mod", is_package=False, into_functions=True)
    assert everything - at_import == {"late"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_packages_depend_one_way(module):
    package = module.split(".")[0]
    forbidden = set(MAY_IMPORT) | {"tests", "foliopie"}
    assert not (roots(imports_of(module)) & forbidden) - MAY_IMPORT[package]


@pytest.mark.parametrize("module", PACKAGES)
def test_a_package_file_holds_a_docstring_only(module):
    body = ast.parse(MODULES[module].read_text()).body
    assert len(body) == 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value.value, str)


@pytest.mark.parametrize("module", COMMAND_FILES)
def test_a_command_file_imports_click_only(module):
    at_import = imports_of(module, into_functions=False)
    assert third_party(at_import) <= {"click"}
    # What it loads from the project (options that two groups share, say) must be as light as itself.
    for name in loaded_with(module):
        assert third_party(imports_of(name, into_functions=False)) <= {"click"}, name


@pytest.mark.parametrize("module", ["deploy.meter", "deploy.classical"])
def test_the_answer_path_imports_no_more_than_the_base_install(module):
    for name in sorted(loaded_with(module)):
        assert third_party(imports_of(name, into_functions=False)) <= ANSWER_PATH_LIBRARIES, name


@pytest.mark.parametrize("module", ["deploy.meter", "deploy.classical", "deploy.folder", "deploy.service.work"])
def test_opencv_decodes_no_file_on_the_answer_path(module):
    for name in sorted(loaded_with(module)):
        tree = ast.parse(MODULES[name].read_text())
        named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not named & OPENCV_DECODERS, name


def test_the_answer_path_in_a_fresh_interpreter():
    program = "import json, sys, deploy.meter, deploy.classical; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = roots(set(json.loads(done.stdout.splitlines()[-1])))
    assert "deploy" in loaded
    assert not loaded & NOT_WHEN_MEASURING


def test_every_package_is_installed_and_no_test_is():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    include = config["options.packages.find"]["include"].split()
    assert include == [pattern for package in MAY_IMPORT for pattern in (package, f"{package}.*")]
    # find: looks for __init__.py; a folder without one would be left out of the wheel.
    assert {path.parent for path in MODULES.values()} == {
        path.parent for path in MODULES.values() if path.name == "__init__.py"
    }
