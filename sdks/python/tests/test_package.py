"""The package as it would be published: built, installed into an empty environment, imported, typed."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = """
import asyncio, importlib.metadata, campanile
async def main():
    async with campanile.Campanile("http://127.0.0.1:1") as client:
        return client.state.value
assert asyncio.run(main()) == "idle"
assert campanile.__version__ == importlib.metadata.version("campanile")
print(campanile.__file__)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the wheel and the source archive; the wheel is made from the archive."""
    target = tmp_path_factory.mktemp("dist")
    # The builder is in this environment: nothing is fetched for it.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return target


def test_archives_hold_what_they_must(built: Path) -> None:
    """Types, the README, and nothing of a development tree."""
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "campanile/py.typed" in names
    assert "campanile/surface/native.py" in names
    assert {Path(name).name for name in names if "/licenses/" in name} == {"LICENSE-MIT", "LICENSE-APACHE"}
    assert not [name for name in names if name.startswith("tests") or "__pycache__" in name]
    metadata = zipfile.ZipFile(wheel).read(next(name for name in names if name.endswith("METADATA"))).decode()
    assert "Requires-Dist: websockets>=13\n" in metadata
    assert metadata.count("Requires-Dist") == 1
    assert "Requires-Python: >=3.10" in metadata
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        held = [name.partition("/")[2] for name in archive.getnames()]
    assert {"pyproject.toml", "README.md", "src/campanile/__init__.py", "tests/test_store.py"} <= set(held)


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_installs_into_an_empty_environment(built: Path, tmp_path: Path, kind: str) -> None:
    """And runs there, from anywhere."""
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    (archive,) = built.glob(kind)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # The one dependency by its name, as of this environment, so that the same one is tested everywhere.
    wanted = f"websockets=={distribution('websockets').version}"
    subprocess.run([*pip, wanted, str(archive)], check=True, capture_output=True, text=True)
    done = subprocess.run(
        [str(python), "-W", "error", "-c", PROGRAM], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert str(tmp_path) in done.stdout
