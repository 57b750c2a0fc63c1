"""What a process is started with is a vector, a clean environment and an account, or nothing at all."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers import argv
from healer.errors import ActionError


@pytest.mark.parametrize(
    "value",
    [
        "-oProxyCommand=x",
        "--property=x",
        "@file",
        "a b",
        "a;b",
        "$(x)",
        "`x`",
        "a\nb",
        "",
        "a/b",
        "../x",
        "x" * 256,
        "é",
        "+x",
    ],
)
def test_a_value_that_is_no_plain_name_never_reaches_an_argument(value):
    with pytest.raises(ActionError):
        argv.slot(value)


@pytest.mark.parametrize("value", ["nginx", "web@1.service", "program:api", "a-b_c.d", r"dev-disk\x2d"])
def test_plain_names_pass(value):
    assert argv.slot(value) == value


@given(st.text())
def test_no_text_at_all_gets_through_as_an_option_a_path_or_two_words(value):
    try:
        argv.slot(value)
    except ActionError:
        return
    assert value[0] not in "-@+/"
    assert not set(value) & set(" \t\n/;$`'\"\0")


@pytest.mark.parametrize("words", [[], [""], ["a", "b\0c"], ["a", "x" * 131072], ["x" * 1000] * 2000, [1], ["a", None]])
def test_what_no_kernel_would_start_is_refused_before_it_is_tried(words):
    with pytest.raises(ActionError) as caught:
        argv.checked(words)
    assert not caught.value.transient


def test_a_command_is_looked_for_on_a_fixed_path_only(tmp_path, monkeypatch):
    trap = tmp_path / "sleep"
    trap.write_text("#!/bin/sh\n")
    trap.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert argv.resolve("sleep").startswith(("/usr/bin/", "/bin/"))
    assert argv.resolve("./sleep", cwd=str(tmp_path)) == str(tmp_path / "sleep")
    with pytest.raises(ActionError, match="no command"):
        argv.resolve("sleep", path=".:relative")


@pytest.mark.parametrize("how", ["group-writable", "other-writable", "in an open folder", "link into an open folder"])
def test_a_command_that_a_stranger_could_replace_is_not_run(tmp_path, how):
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o755)
    command = folder / "command"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    argv.check_owners(str(command))  # before: fine
    if "-writable" in how:
        command.chmod(0o775 if how.startswith("group") else 0o757)
    elif how == "in an open folder":
        folder.chmod(0o777)
    else:
        folder.chmod(0o777)
        link = tmp_path / "link"
        link.symlink_to(command)
        command = link
    with pytest.raises(ActionError, match="written by others"):
        argv.check_owners(str(command))


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ActionError, match="loop"):
        argv.check_owners(str(tmp_path / "a"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_strangers_file_is_not_run(tmp_path):
    command = tmp_path / "command"
    command.touch(mode=0o755)
    os.chown(command, 12345, 0)
    with pytest.raises(ActionError, match="uid 12345"):
        argv.check_owners(str(command))


def test_the_environment_is_made_of_constants_what_is_declared_and_markers(monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "/evil.so")
    made = argv.environment({"A": "1", "PATH": "/opt/bin"}, {"HEALER_INTENT": "x"}, argv.own_account())
    assert set(made) == {"A", "PATH", "LANG", "HOME", "USER", "LOGNAME", "SHELL", "HEALER_INTENT"}
    assert made["PATH"] == "/opt/bin"


def test_nothing_declared_overrides_a_marker():
    made = argv.environment({"HEALER_INTENT": "forged"}, {"HEALER_INTENT": "true"}, argv.own_account())
    assert made["HEALER_INTENT"] == "true"


@pytest.mark.parametrize(("name", "value"), [("A=B", "x"), ("", "x"), ("A B", "x"), ("A", "x\0y"), ("é", "x")])
def test_a_name_that_is_no_variable_is_refused(name, value):
    with pytest.raises(ActionError):
        argv.environment({name: value}, {}, argv.own_account())


def test_an_account_that_does_not_exist_is_a_permanent_error():
    with pytest.raises(ActionError, match="no account") as caught:
        argv.account("no-such-account")
    assert not caught.value.transient


def test_an_account_has_its_groups():
    assert argv.account("root").groups[0] == 0
