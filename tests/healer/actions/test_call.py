"""A call is made once; what nobody can tell is said to be so."""

import pytest

from healer.actions.call import Call
from healer.drivers.http import HttpError, Reply
from healer.errors import ActionError, AmbiguousError
from healer.yamldoc.secret import Secret


class Http:
    def __init__(self, answer):
        self.answer, self.asked = answer, []

    async def ask(self, url, **asked):
        self.asked.append((url, asked))
        if isinstance(self.answer, Exception):
            raise self.answer
        return Reply(status=self.answer, headers={}, body=b"fine", complete=True, took=0.1)


async def call(answer, order, **params):
    http = Http(answer)
    return await Call(lambda: http).act(order({"url": "http://x/", **params})), http


async def test_a_good_answer_is_done_with_its_status(order):
    done, http = await call(204, order, json={"a": 1}, headers={"X-A": "b"})
    assert (done.rc, done.output) == (204, b"fine")
    asked = http.asked[0][1]
    assert (asked["method"], asked["body"], asked["timeout"]) == ("POST", b'{"a": 1}', 10.0)
    assert asked["headers"] == {"content-type": "application/json", "x-a": "b"}


@pytest.mark.parametrize(("status", "transient"), [(500, True), (503, True), (429, True), (404, False), (301, False)])
async def test_a_bad_answer_is_an_error_that_says_whether_to_try_again(order, status, transient):
    with pytest.raises(ActionError, match=str(status)) as caught:
        await call(status, order)
    assert caught.value.transient == transient


async def test_the_statuses_that_mean_done_can_be_named(order):
    assert (await call(404, order, ok=(404,)))[0].rc == 404
    with pytest.raises(ActionError):
        await call(200, order, ok=(404,))


@pytest.mark.parametrize(
    ("sent", "method", "kind"),
    [
        (True, "POST", AmbiguousError),
        (True, "GET", ActionError),
        (False, "POST", ActionError),
        (True, "DELETE", AmbiguousError),
    ],
)
async def test_a_lost_reply_is_ambiguous_unless_nothing_was_sent_or_nothing_changes(order, sent, method, kind):
    lost = HttpError("no answer", kind="timeout", fact=True, sent=sent)
    with pytest.raises(ActionError) as caught:
        await call(lost, order, method=method)
    assert type(caught.value) is kind


async def test_a_secret_that_is_missing_stops_the_call_and_is_not_told(order, tmp_path):
    path = tmp_path / "token"
    with pytest.raises(ActionError, match="cannot be read"):
        await call(200, order, headers={"Authorization": Secret(file=str(path))})
    path.write_text("canary\n")
    path.chmod(0o600)
    _, http = await call(200, order, headers={"Authorization": Secret(file=str(path))})
    assert http.asked[0][1]["headers"]["authorization"] == "canary"


def test_the_dry_run_does_not_show_the_query(order):
    assert Call(Http).would(order({"url": "http://x/y?token=canary"})) == "would POST http://x/y"
