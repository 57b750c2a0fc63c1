import pytest

CONF = """\
[unix_http_server]
password=hunter22
[program:api]
command=/usr/bin/python3 -m http.server "80 88" ; the api
directory=/srv/api
autorestart=true
startsecs=5
startretries=4
stopsignal=INT
stopwaitsecs=20
environment=LANG="C.UTF-8",DB_PASSWORD="s3cr3tX",PORT=80
stdout_logfile=/var/log/api.log
priority=10
user=nobody
[program:work]
command=/bin/worker --id %(process_num)02d --done 100%%
process_name=%(program_name)s_%(process_num)02d
numprocs=2
exitcodes=0,2
[group:web]
programs=api,work
[eventlistener:mail]
command=/bin/mail
"""


def test_a_program_keeps_what_it_is(imported):
    found = imported("supervisord", CONF)
    api, first, _ = (made.body for made in found.harvest.programs)
    assert api["command"] == ["/usr/bin/python3", "-m", "http.server", "80 88"]
    assert api["env"] == {"LANG": "C.UTF-8", "PORT": "80"}
    assert api["stop"] == {"signal": "INT", "grace": "20s"}
    assert (api["cwd"], api["user"], api["groups"]) == ("/srv/api", "nobody", ["web"])
    assert (first["name"], first["command"][-1]) == ("work_00", "100%")
    assert not found.proof.problems
    assert not found.proof.findings


def test_the_rule_restarts_as_autorestart_said(imported):
    api, work, _ = (made.body for made in imported("supervisord", CONF).harvest.rules)
    assert "exit_code" not in api["when"]
    assert api["limits"] == [{"max": 4, "per": "10m"}]
    assert api["then"][0]["verify"]["stable_for"] == "5s"
    assert work["when"].endswith("program.exit_code{target} != 0 and program.exit_code{target} != 2")
    assert api["mode"] == "observe"


def test_every_setting_is_accounted_for(imported):
    found = imported("supervisord", CONF)
    told = {item.mark.line for item in found.harvest.items}
    assert told == {number for number, line in enumerate(CONF.splitlines(), 1) if line.strip()}


def test_secrets_are_named_and_never_written(imported):
    found = imported("supervisord", CONF)
    assert set(found.harvest.credentials) == {"api-db-password", "unix-http-server-password"}
    assert not any("s3cr3tX" in text or "hunter22" in text for text in found.documents.values())


@pytest.mark.parametrize(
    ("line", "because"),
    [
        ("command=/bin/x %(ENV_HOME)s", "%(ENV_HOME)s is known only where supervisord runs"),
        ("command=/bin/x --password=hunter22", "it holds a secret"),
        ("command=/bin/x 'open", "No closing quotation"),
        ("command=/bin/x\ndirectory=here", "not an absolute path"),
        ("command=/bin/x\nenvironment=A", "expected KEY="),
        ("autostart=true", "there is none"),
        ("command=/bin/x\nnumprocs=100000", "at most 200"),
    ],
)
def test_what_is_incomplete_is_written_as_a_comment_that_does_nothing(imported, fates, line, because):
    found = imported("supervisord", f"[program:x]\n{line}\n")
    assert any(because in said for said in fates(found, "left"))
    assert not found.proof.problems
    assert "\nprograms:" not in found.documents["organism.yaml"]
    assert list(found.documents)[1].endswith(".incomplete.txt")
    assert "hunter22" not in "".join(found.documents.values())


def test_without_autorestart_there_is_no_rule(imported, fates):
    found = imported("supervisord", "[program:x]\ncommand=/bin/x\nautorestart=false\n")
    assert not found.harvest.rules
    assert "no rule restarts it" in " ".join(fates(found, "carried"))


def test_includes_are_followed_in_their_folder_only(imported, fates, tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "b.conf").write_text("[program:b]\ncommand=/bin/b\n")
    (tmp_path / "conf.d" / "evil.conf").symlink_to("/etc/passwd")
    text = "[include]\nfiles = conf.d/*.conf ../up.conf /etc/*.conf nothing/*\n[program:a]\ncommand=/bin/a\n"
    found = imported("supervisord", text)
    assert [made.body["name"] for made in found.harvest.programs] == ["a", "b"]
    said = " ".join(fates(found, "left"))
    assert "include ../up.conf" in said
    assert "include /etc/*.conf" in said
    assert "include conf.d/*.conf: conf.d/*.conf lies outside" in said
    assert "no file matches" in said
