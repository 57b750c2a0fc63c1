"""RSA by hand makes signatures that would be good if the key were."""

import pytest

from audit import signature
from audit.attack import rsa
from audit.errors import KeyRefused
from audit.keys import SealingKey
from audit.signature import PublicKey


@pytest.mark.parametrize(("bits", "exponent"), [(512, 65_537), (1024, 3), (1024, 1)])
def test_a_weak_key_is_refused_although_it_is_well_written(bits, exponent):
    weak = rsa.Weak.of(bits, exponent)
    assert weak.modulus.bit_length() == bits
    with pytest.raises(KeyRefused, match="is refused"):
        PublicKey.from_pem(weak.pem)


def test_a_weak_key_would_be_accepted_were_it_not_for_its_size(monkeypatch):
    monkeypatch.setattr(signature, "MIN_BITS", 1024)
    weak = rsa.Weak.of(1024, 65_537)
    key = PublicKey.from_pem(weak.pem)
    assert key.fingerprint == weak.fingerprint
    assert key.verify(weak.sign(b"text"), b"text")
    assert key.verify_pure(weak.sign(b"text"), b"text")
    assert not key.verify(weak.sign(b"text"), b"another")


@pytest.mark.parametrize("how", [rsa.pkcs1, rsa.salted(0), rsa.salted(20), rsa.bare])
def test_an_odd_signature_is_none(how):
    key = SealingKey.generate()
    odd = rsa.Odd(key, how)
    message = b"sealed-log/block/v1\ntext"
    made = odd.sign(message)
    assert len(made) == key.public.size
    assert not key.public.verify(made, message)
    assert not key.public.verify_pure(made, message)
