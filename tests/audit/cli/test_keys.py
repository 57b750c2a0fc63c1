"""Which key to pin."""

import json


def test_keys_prints_the_fingerprint(run, honest, key):
    assert run("keys", honest.key)[1].startswith(key.public.fingerprint)
    assert key.public.fingerprint in run("keys", honest.folder)[1]
    assert json.loads(run("keys", honest.key, "--json")[1])["bits"] == 3072
    code, _, err = run("keys", honest.folder / "none")
    assert (code, "there is no key" in err) == (2, True)
    assert run("keys", honest.anchor)[0] == 2
