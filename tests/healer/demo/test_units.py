"""Where systemd does not run, a unit is not shown; where it does, its file is one that a reboot forgets."""

from healer.demo import units
from healer.demo.units import UnitSystem


def test_without_a_system_manager_that_is_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(units, "_BOOTED", tmp_path / "none")
    assert UnitSystem.missing() == "systemd does not run this machine"


def test_an_account_without_a_manager_of_its_own_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setattr(units, "_BOOTED", tmp_path)
    monkeypatch.setattr(units, "program", lambda _: "/bin/systemctl")
    monkeypatch.setattr(units.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert "no systemd manager of its own" in UnitSystem.missing()
    (tmp_path / "bus").touch()
    assert UnitSystem.missing() == ""


def test_its_name_is_its_own(tmp_path):
    one, other = UnitSystem(tmp_path, "1").patient, UnitSystem(tmp_path, "2").patient
    assert one.target == "unit:victim-1.service" != other.target
