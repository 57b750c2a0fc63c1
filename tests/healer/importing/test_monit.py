import pytest

MONITRC = """\
set daemon 60
set httpd port 2812 allow admin:monit99x
check system $HOST
  if loadavg (5min) per core > 2 for 3 cycles then alert
  if memory usage > 75% for 3 times within 5 cycles then alert
check process nginx with pidfile /run/nginx.pid
  group www
  every 2 cycles
  start program = "/usr/bin/systemctl start nginx"
  stop program = "/usr/bin/systemctl stop nginx"
  if does not exist for 2 cycles then restart else if succeeded then alert
  if failed port 80 protocol http request "/health" for 3 cycles then restart
  if children > 250 then restart
  if 2 restarts within 3 cycles then unmonitor
  depends on nginx_bin
  mode passive
check process app matching "python.*app"
  start program = "/opt/app/start.sh"
  stop program = "/opt/app/stop.sh"
  if memory > 80% then restart
check file nginx_bin with path /usr/sbin/nginx
  if failed checksum then unmonitor
  if timestamp > 15 minutes then exec "/bin/notify.sh 'y z'" as uid nobody repeat every 5 cycles
check filesystem var with path /var
  if space usage > 80% for 5 cycles then alert
check host web with address example.com
  if failed port 443 protocol https then alert
  if failed port 22 protocol ssh then alert
  if failed ping then alert
"""


@pytest.fixture
def found(imported):
    return imported("monit", MONITRC, name="monitrc")


def rule(found, part):
    return next(made.body for made in found.harvest.rules if part in made.body["id"])


def test_the_result_passes_check(found):
    assert not found.proof.problems
    assert not [one for one in found.proof.findings if "cooldown" in one or "verify" in one]


def test_every_statement_is_accounted_for(found):
    told = {item.mark.line for item in found.harvest.items}
    assert told == set(range(1, MONITRC.count("\n") + 1))


def test_looks_are_as_far_apart_as_cycles_were_and_samples_count_them(found):
    targets = {f"{made.body['kind']}:{made.body['name']}": made.body for made in found.harvest.targets}
    assert targets["process:nginx"]["every"] == "2m"
    assert targets["file:nginx_bin"]["every"] == "1m"
    assert rule(found, "nginx-does-not-exist")["cooldown"] == "4m"
    assert rule(found, "nginx-does-not-exist")["samples"] == {"bad": 2, "of": 2}
    # The host is looked at far more often than once a cycle: three of its samples would be six seconds.
    assert rule(found, "loadavg")["for"] == "3m"
    assert rule(found, "var-space")["for"] == "5m"


def test_groups_requirements_and_passive_mode_are_the_targets(found):
    nginx = found.harvest.targets[0].body
    assert nginx["groups"] == ["www"]
    assert nginx["requires"] == ["file:nginx_bin"]
    assert nginx["mode"] == "observe"


def test_restarts_are_limited_for_all_of_them_and_not_only_the_first(found):
    assert rule(found, "nginx-failed-port")["limits"] == [{"max": 2, "per": "3m", "scope": "target"}]
    assert "limits" not in rule(found, "loadavg")


def test_recovery_is_told(found):
    assert rule(found, "nginx-does-not-exist")["on_recovered"][0]["notify"]["severity"] == "info"


def test_monit_starts_what_is_gone_unasked_and_so_does_a_rule(found, fates):
    assert rule(found, "app-not-exist")["then"][0]["run"]["argv"] == ["/opt/app/start.sh"]
    assert "Monit does that unasked" in " ".join(fates(found, "changed"))


def test_what_has_no_home_is_listed_and_its_rule_is_a_comment(found, fates):
    left = " ".join(fates(found, "left"))
    for part in ("children > 250", "failed ping", "memory > 80% then restart", "repeat every"):
        assert part in left
    assert "# - id: app-memory-80" in found.documents["rules.d/monitrc.yaml"].replace("  #", "#")
    assert "monit99x" not in "".join(found.documents.values())


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("check process x\n if cpu > 1% then alert\n", "it has no pidfile"),
        ('check process x matching "a(b|c)"\n', "a pattern of * and ?"),
        ("check filesystem x with path /dev/sda1\n", "where they are mounted"),
        ("check file x with path here\n", "not absolute"),
        ('check program x with path "/bin/a | b"\n', "needs a shell"),
        ("check gizmo x\n", "no kind of check"),
        ("check\n", "no kind of check"),
        ("check program x with path /bin/x\n if status != 0\n", "it has no then"),
        (
            "check host h with address a\n if failed port 80 protocol http request '/?token=abcdefgh' then alert\n",
            "secret",
        ),
        (
            'check file x with path /x\n if content = "a" then alert\n if content = "b" then alert\n',
            "declare the file twice",
        ),
        ("check program x with path /bin/x\n every '* * * * *'\n", "equal intervals"),
        ("check program x with path /bin/x\n mode manual\n", "looked at from the start"),
        ("check program x with path /bin/x\n onreboot nostart\n", "autostart"),
        ("check program x with path /bin/x\n if 0 restarts within 3 cycles then stop\n", "counted within a time"),
        ("check program x with path /bin/x\n if status != 0 then stop\n", "no stop program"),
        ("check program x with path /bin/x\n depends on y\n", "no target here is like y"),
        ("check program x with path /bin/x\n start program = none\n", "no command in quotes"),
    ],
)
def test_what_cannot_be_said_is_told(imported, fates, text, because):
    found = imported("monit", text)
    assert because in " ".join(fates(found, "left"))
    assert not found.proof.problems
    assert "abcdefgh" not in "".join(found.documents.values())


def test_hours_of_a_cron_line_are_when_its_rules_may_act(imported):
    text = "check file a with path /a\n {}every '* 0-3 * * 0'\n if not exist then alert\n"
    plain, turned = (imported("monit", text.format(word)) for word in ("", "not "))
    assert plain.harvest.rules[0].body["active"] == {"hours": "00:00-04:00", "days": "sun"}
    assert turned.harvest.rules[0].body["not_in"] == [{"hours": "00:00-04:00", "days": "sun"}]
    assert not plain.proof.problems
    assert not turned.proof.problems


def test_two_probes_of_one_host_have_two_names(imported):
    tests = ("port 1", "port 2", "port 1 for 2 cycles")
    text = "check host h with address ::1\n" + "".join(f" if failed {one} then alert\n" for one in tests)
    found = imported("monit", text)
    assert [(made.body["name"], made.body["port"]) for made in found.harvest.targets] == [("h", 1), ("h-2", 2)]
    assert not found.proof.problems


def test_dependencies_in_a_circle_are_told_by_check(imported):
    text = "check file a with path /a\n depends on b\ncheck file b with path /b\n depends on a\n"
    found = imported("monit", text)
    assert "a circle of requirements" in " ".join(item.because for item in found.harvest.items)


def test_words_of_another_language_are_told(imported):
    found = imported("monit", "please check everything\n")
    assert "expected set, include or check" in found.problems[0]


def test_includes_are_followed_in_their_folder_only(imported, fates, tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "a").write_text("check file a with path /a\n if not exist then alert\n")
    found = imported("monit", "include conf.d/*\ninclude /etc/monit/*\n", name="monitrc")
    assert [made.body["name"] for made in found.harvest.targets] == ["a"]
    assert "/etc/monit/* lies outside" in " ".join(fates(found, "left"))


def test_no_password_is_told_or_written_however_short_and_plain_it_is(imported):
    text = """\
set httpd port 2812 allow admin:monit
check process a with pidfile /a
  start program = "/bin/a --password=swordfish"
  if not exist then restart
  if failed port 80 protocol http username "u" password "swordfish" then alert
  if failed port 81 protocol http request "/?token=swordfish" then alert
  if cpu > 5% then exec "/bin/x --token swordfish"
"""
    found = imported("monit", text)
    told = " ".join(found.harvest.hide(item.what + item.because) for item in found.harvest.items)
    assert "swordfish" not in told + "".join(found.documents.values())
