"""What the repository promises as a whole: pinned and explained dependencies, and nothing that ties it to a machine."""

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LARGEST_FILE = 1_500_000
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:home|root|work|tmp|Users)/\w")


def requirements(name):
    """The requirement lines of a file, without comments and references to other files."""
    lines = (ROOT / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r"))]


def names(*files):
    """Names of the packages those files require."""
    return {re.split(r"[=<>!~; \[]", line, maxsplit=1)[0].lower() for file in files for line in requirements(file)}


def imported(*places):
    """Top-level packages that the Python files in those places import, with one file that does."""
    found = {}
    for file in (file for place in places for file in [ROOT / place, *(ROOT / place).rglob("*.py")] if file.is_file()):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0]: file.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found[node.module.split(".")[0]] = file.name
    return found


@pytest.fixture(scope="module")
def tracked():
    """The files git tracks and the working tree still has."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of tracked files")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_to_one_version(file):
    loose = [line for line in requirements(file) if not re.fullmatch(r"[\w-]+==[\w.]+(; .+)?", line)]
    assert not loose


def test_every_dependency_has_its_reason_and_no_reason_lacks_its_dependency():
    reasons = re.findall(r"^- \*\*([\w-]+)\*\*: \w", (ROOT / "docs/dependencies.md").read_text(), flags=re.MULTILINE)
    assert len(reasons) == len(set(reasons))
    assert set(reasons) == names("requirements.txt", "requirements-dev.txt")


@pytest.mark.parametrize(
    ("places", "files"),
    [
        (["ssrvae_core", "ui", "pages", "app.py", "examples"], ["requirements.txt"]),
        (["tests", "benchmarks"], ["requirements.txt", "requirements-dev.txt"]),
    ],
)
def test_every_imported_package_is_a_direct_dependency(places, files):
    distributions = packages_distributions()
    missing = {}
    for package, file in imported(*places).items():
        own = (ROOT / package).is_dir() or any((ROOT / place / f"{package}.py").is_file() for place in ("", *places))
        providers = {name.lower() for name in distributions.get(package, [package])}
        if not own and package not in sys.stdlib_module_names and not providers & names(*files):
            missing[package] = file
    assert not missing


def test_every_make_command_of_the_readme_exists():
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    commands = set(re.findall(r"(?:^|`| )make ([a-z]+)(?=$|`| [A-Z]+=)", readme, flags=re.MULTILINE))
    assert {"demo", "test"} <= commands <= targets


def test_no_tracked_file_names_a_path_of_one_machine(tracked):
    found = []
    for file in tracked:
        content = file.read_bytes()
        if b"\0" not in content:
            lines = content.decode(errors="replace").splitlines()
            found += [f"{file.relative_to(ROOT)}: {line}" for line in lines if MACHINE_PATH.search(line)]
    assert not found


@pytest.mark.parametrize("file", ["README.md", "docs/screenshots/README.md"])
def test_every_picture_that_is_shown_is_there(file):
    text = (ROOT / file).read_text()
    shown = re.findall(r"\]\(([\w./-]+\.(?:png|webp))\)", text)
    assert shown and not [name for name in shown if not ((ROOT / file).parent / name).is_file()]


def test_pictures_of_the_pages_are_light_and_all_of_them_are_listed():
    folder = ROOT / "docs/screenshots"
    pictures = list(folder.glob("*.webp"))
    assert sum(picture.stat().st_size for picture in pictures) < 3_000_000
    listed = (folder / "README.md").read_text()
    assert not [picture.name for picture in pictures if picture.name not in listed]


def test_no_tracked_file_is_large(tracked):
    large = {str(file.relative_to(ROOT)): size for file in tracked if (size := file.stat().st_size) > LARGEST_FILE}
    assert large.pop("ui/lesson.zip") < 3_000_000  # what has to be there to teach without training
    assert not large
