import subprocess
import sys
from pathlib import Path

import pytest

from healer import shipped
from healer.errors import HealerError

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["organism.yaml", "rules", "systemd"])
def test_the_checkout_is_found_from_an_editable_install(name):
    assert shipped.path(name) == CHECKOUT / name


def test_a_damaged_installation_is_told_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "healer")
    with pytest.raises(HealerError, match="rules is missing"):
        shipped.path("rules")


def test_the_wheels_own_copy_wins_over_what_lies_beside_it(tmp_path, monkeypatch):
    ours = tmp_path / "healer" / "_shipped" / "rules"
    ours.mkdir(parents=True)
    (tmp_path / "rules").mkdir()
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "healer")
    assert shipped.path("rules") == ours


def test_an_installed_wheel_finds_what_it_ships(tmp_path):
    built = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "dist")]
    subprocess.run(built, cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("healer-*.whl")
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target), wheel]
    subprocess.run(pip, check=True, capture_output=True)
    probe = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from healer import shipped\n"
        "print(*[shipped.path(name) for name in ('organism.yaml', 'rules', 'systemd')])"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-c", probe, str(target)], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    here = target / "healer" / "_shipped"
    assert said.stdout.split() == [str(here / name) for name in ("organism.yaml", "rules", "systemd")]
    assert (target / "audit" / "__init__.py").exists()
