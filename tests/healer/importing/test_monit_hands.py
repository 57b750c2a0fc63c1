import pytest

from healer.importing.harvest import Harvest
from healer.importing.monit_hands import Hands
from healer.importing.monit_words import words
from healer.yamldoc.mark import Problems

WHEN = "process.up{target} == 0"


def split(text):
    return words(text, "f", Problems())


def made(*commands):
    hands = Hands(Harvest(), "x", "process")
    for one in commands:
        hands.learn(split(one))
    return hands


def argv(hands, action="restart", when=WHEN):
    steps, missing = hands.steps(split(action), when, "process:x", split("if y then z"))
    return steps[0]["run"]["argv"] if not missing else missing[0]


@pytest.mark.parametrize(
    ("start", "stop", "again"),
    [
        ("/usr/bin/systemctl start x", "/usr/bin/systemctl stop x", ["/usr/bin/systemctl", "restart", "x"]),
        ("/etc/init.d/x start", "/etc/init.d/x stop", ["/etc/init.d/x", "restart"]),
        ("/usr/sbin/service x start", "/usr/sbin/service x stop", ["/usr/sbin/service", "x", "restart"]),
        ("/opt/start.sh", "/opt/stop.sh", ["/opt/start.sh"]),
    ],
)
def test_what_is_gone_is_restarted_by_one_command(start, stop, again):
    assert argv(made(f'start program = "{start}"', f'stop program = "{stop}"')) == again


def test_two_commands_are_no_restart_of_what_still_runs():
    hands = made('start program = "/opt/start.sh"', 'stop program = "/opt/stop.sh"')
    assert argv(hands, when="process.memory{target} > 80%") == "it has no restart program that is one command"


def test_a_restart_program_is_what_it_says():
    hands = made('restart program = "/opt/again.sh" as uid app and gid app with timeout 90 seconds')
    steps, _ = hands.steps(split("restart"), WHEN, "process:x", split("if y"))
    assert steps[0]["run"] == {"argv": ["/opt/again.sh"], "user": "app"}
    assert steps[0]["timeout"] == "90s"
    assert steps[0]["verify"]["when"] == {"not": WHEN}


def test_a_stop_is_proved_by_what_it_stops():
    steps, _ = made('stop program = "/bin/stop"').steps(
        split("stop"), "process.cpu{target} > 3", "process:x", split("if y")
    )
    assert steps[0]["verify"]["when"] == "process.up{target} == 0"


def test_commands_that_need_a_shell_or_hold_secrets_are_not_carried_over():
    assert "no restart program" in argv(made('start program = "/bin/x | y"'))
    assert "no restart program" in argv(made('start program = "/bin/x --password=hunter22"'))
    assert made().run(split('exec "/bin/a; /bin/b"')) is None


def test_an_unknown_action_is_told():
    assert argv(made(), "dance") == "the action 'dance'"
