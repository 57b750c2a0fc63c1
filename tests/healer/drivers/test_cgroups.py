"""A cgroup is made where the host lets us, and its absence is told, not guessed."""

import subprocess

import pytest

from healer.drivers import cgroups

OWN = "4:memory:/other\n3:pids:/mine\n1:name=systemd:/s\n0::/unified\n"


def host(tmp_path, *kinds):
    """Pretend mounts below tmp_path."""
    lines = []
    for kind in kinds:
        point = tmp_path / kind
        own = {"v2": "unified", "pids": "mine"}[kind]
        (point / own).mkdir(parents=True)
        (point / own / "cgroup.procs").touch()
        system = "cgroup2 rw" if kind == "v2" else f"cgroup rw,{kind}"
        lines.append(f"x {point} {system} 0 0\n")
    mounts, mine = tmp_path / "mounts", tmp_path / "own"
    mounts.write_text("proc /proc proc rw 0 0\n" + "".join(lines))
    mine.write_text(OWN)
    return cgroups.detect(mounts, mine)


def test_the_unified_tree_is_preferred(tmp_path):
    assert host(tmp_path, "pids", "v2").root == tmp_path / "v2" / "unified"


def test_a_v1_hierarchy_will_do(tmp_path):
    found = host(tmp_path, "pids")
    assert found.root == tmp_path / "pids" / "mine"
    assert "pids" in found.because


def test_no_tree_is_told_and_nothing_is_made(tmp_path):
    found = host(tmp_path)
    assert found.root is None
    assert "mounted" in found.because
    assert found.make("api") is None
    assert cgroups.detect(tmp_path / "none", tmp_path / "none").root is None


def test_a_name_never_leaves_its_folder(tmp_path):
    made = host(tmp_path, "v2").make("../../x/é")
    assert made.path.parent == tmp_path / "v2" / "unified"


def test_a_folder_that_is_gone_has_no_members_and_takes_nobody(tmp_path):
    gone = cgroups.Cgroup(path=tmp_path / "gone")
    assert gone.members() == set()
    assert not gone.attach(1)
    assert gone.remove()
    gone.kill()


def test_a_real_process_joins_and_is_killed_with_its_group():
    groups = cgroups.detect()
    if groups.root is None:
        pytest.skip(f"no cgroup can be made here: {groups.because}")
    made = groups.make("test-real")
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            assert made.attach(child.pid)
            assert made.members() == {child.pid}
            assert not made.remove()
            made.kill()
            if (made.path / "cgroup.kill").exists():
                assert child.wait(5) == -9
        finally:
            child.kill()
    while not made.remove():  # the kernel lets go of the dead a moment later
        assert made.members() == set()
