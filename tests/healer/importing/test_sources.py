import pytest

from healer.importing import sources
from healer.yamldoc.mark import Problems


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"trigger": {}, "actions": []}', "avena"),
        ('{"clients": {}}', "avena"),
        ('{"conditions": [], "actions": []}', "symbiotic"),
        ('[{"triggers": []}]', "symbiotic"),
        ('\ufeff{"organismRole": "x"}', "symbiotic"),
        ("set daemon 30\ncheck process x with pidfile /x\n", "monit"),
        ("  CHECK HOST a ADDRESS b\n", "monit"),
        ("[program:x]\ncommand=check\n", "supervisord"),
        ("; c\n[supervisord]\n", "supervisord"),
    ],
)
def test_the_format_is_told_by_what_stands_in_the_file(tmp_path, text, kind):
    path = tmp_path / "f"
    path.write_text(text)
    assert [one.format for one in sources.read([path], "auto", Problems())] == [kind]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"hello\n",
        b"\xff\xfe{\x00",
        b"{}",
        b"[1]",
        b"{",
        b"[" * 100_000,
        b"\x00" * 10,
        b"[general]\nx=1\n",
        b"set in5_min 3.3\n",
        b"include /etc/x\n",
    ],
)
def test_what_is_none_of_them_is_told_with_its_place(tmp_path, octets):
    path = tmp_path / "f"
    path.write_bytes(octets)
    problems = Problems()
    assert not list(sources.read([path], "auto", problems))
    assert str(problems.found[0]).startswith(f"{path}:1:")


def test_a_huge_file_and_one_that_is_missing_are_told(tmp_path):
    (tmp_path / "big").write_bytes(b" " * 2**21)
    problems = Problems()
    assert not list(sources.read([tmp_path / "big", tmp_path / "gone"], "auto", problems))
    assert len(problems.found) == 2


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    for name in ("b.json", "a.json", "monitrc", "notes.md"):
        (tmp_path / name).write_text("{}")
    assert [path.name for path in sources.files(tmp_path)] == ["a.json", "b.json", "monitrc"]
