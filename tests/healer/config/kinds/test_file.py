"""What may be done to a file is declared, and what is too much is refused where it is written."""

import pytest

from healer.config import load_config
from healer.errors import ConfigError


def target(**keys):
    return load_config({"version": 1, "targets": [{"kind": "file", "name": "cache", **keys}]}, environ={}).targets[0]


def test_a_folder_to_clear_has_bounds_whether_they_are_written_or_not():
    spec = target(path="/var/cache/app", clear={"older": "7d", "pattern": "*.tmp", "keep": "1GiB"}).spec
    assert spec["clear"] == {
        "older": 7 * 86400.0,
        "pattern": "*.tmp",
        "keep": float(2**30),
        "most": 10_000,
        "most_bytes": float(10 * 2**30),
    }


def test_without_a_word_nothing_may_be_done():
    spec = target(path="/etc/app.conf").spec
    assert not {"clear", "aside", "repair"} & spec.keys()


@pytest.mark.parametrize("path", ["/", "/etc/nginx", "/var", "/var/cache/../../etc"])
def test_a_folder_of_the_system_cannot_be_declared_for_clearing(path):
    with pytest.raises(ConfigError) as caught:
        target(path=path, clear={})
    assert "nothing may be deleted there" in "".join(caught.value.problems)


@pytest.mark.parametrize("ways", [{}, {"sqlite": True, "command": ["/usr/bin/mend"]}])
def test_a_repair_has_exactly_one_way(ways):
    with pytest.raises(ConfigError) as caught:
        target(path="/srv/app/app.db", repair=ways)
    assert "expected one way" in "".join(caught.value.problems)


def test_evidence_can_be_switched_off_and_told_which_files_matter():
    spec = target(path="/srv/app/x", evidence={"keep": False, "files": ["/etc/app"]}).spec
    assert spec["evidence"] == {"keep": False, "files": ("/etc/app",)} or spec["evidence"]["files"] == ["/etc/app"]
