import pytest

from healer.importing import hands
from healer.importing.harvest import Fate, Harvest
from healer.yamldoc.mark import Mark

HERE = Mark(file="f", line=1, column=1)


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("/bin/x | y", "needs a shell"),
        ("/bin/x $(id)", "needs a shell"),
        ("/bin/x 'open", "No closing quotation"),
        ("", "it is empty"),
        ("/bin/x --token=abcdefgh", "holds a secret"),
    ],
)
def test_what_is_no_argument_vector_says_why(text, because):
    argv, said = hands.argv(Harvest(), text, HERE, "x")
    assert argv == []
    assert because in said


def test_a_list_is_taken_as_it_is():
    assert hands.argv(Harvest(), ["/bin/x", "a b", "$HOME"], HERE, "x") == (["/bin/x", "a b", "$HOME"], "")


def test_a_service_is_touched_by_systemctl_and_proved_by_its_process():
    harvest = Harvest()
    target = hands.service(harvest, "nginx", HERE)
    step = hands.touch("restart", target)
    if target == "process:nginx":
        assert step["run"]["argv"] == ["/usr/bin/systemctl", "restart", "nginx.service"]
    else:
        assert step["restart"] == {}
    assert step["verify"]["when"].endswith("== 1")
    assert hands.touch("stop", target)["verify"]["when"].endswith("== 0")
    assert len(harvest.targets) == 1


def test_secrets_in_headers_become_references_and_in_data_they_are_left_out():
    harvest = Harvest()
    made = hands.headers(harvest, {"Authorization": "Bearer abcdefgh", "X": "1"}, HERE, "h")
    assert made == {"Authorization": {"credential": "h-authorization"}, "X": "1"}
    data = hands.concealed(harvest, {"a": [{"password": "hunter22", "b": "x://u:secret99@h"}]}, HERE, "d")
    assert data == {"a": [{"b": "x://h"}]}
    assert set(harvest.credentials.values()) == {"Bearer abcdefgh", "hunter22", "secret99"}
    assert list(harvest.of(Fate.LEFT))
