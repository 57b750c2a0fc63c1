"""From systemctl's words, as systemd 252 prints them; a booted system is asked in tests/integration."""

from healer.cli.proposing.units import blocks, services, units

LISTING = """\
cron.service                loaded active running Regular background program processing daemon
dbus.service                loaded active running D-Bus System Message Bus
getty@tty1.service          loaded active running Getty on tty1
nginx.service               loaded active running A high performance web server and a reverse proxy server
postgresql@15-main.service  loaded active running PostgreSQL Cluster 15-main
systemd-journald.service    loaded active running Journal Service
byhand.service              loaded active running Started by hand
odd\\x2dname.service        loaded active running An odd one
"""
SHOWN = """\
Id=cron.service
UnitFileState=enabled
SubState=running
MainPID=11
Description=Regular background program processing daemon
Id=nginx.service
UnitFileState=enabled
SubState=running
MainPID=12
Description=A high performance web server
Id=postgresql@15-main.service
UnitFileState=enabled-runtime
SubState=running
MainPID=13
Description=PostgreSQL Cluster 15-main
Id=byhand.service
UnitFileState=disabled
SubState=running
MainPID=14
Description=Started by hand
Id=odd\\x2dname.service
UnitFileState=enabled
Description=An odd one = or two
"""


def systemctl(argv):
    assert argv[0] == "systemctl"
    return (LISTING if argv[1] == "list-units" else SHOWN).splitlines()


def test_what_somebody_enabled_and_runs_is_proposed_and_plumbing_is_not():
    found = {one.name: one for one in units(systemctl)}
    assert found.keys() == {"cron.service", "nginx.service", "postgresql@15-main.service", "odd-x2dname.service"}
    assert found["nginx.service"].organ == "lungs"
    assert found["postgresql@15-main.service"].organ == "stomach"
    assert found["odd-x2dname.service"].keys == {"unit": "odd\\x2dname.service"}
    assert "An odd one = or two" in found["odd-x2dname.service"].because


def test_a_host_without_systemd_has_none():
    assert list(units(lambda _: [])) == []


def test_names_are_never_taken_for_options():
    asked = []

    def run(argv):
        asked.append(argv)
        return ["--evil.service x"] if argv[1] == "list-units" else []

    assert services(run) == []
    assert asked[1][-2:] == ["--", "--evil.service"]


def test_lines_that_are_none_are_passed_over():
    assert blocks(["junk", "Id=a", "Id=b", ""]) == [{"Id": "a"}, {"Id": "b"}]
