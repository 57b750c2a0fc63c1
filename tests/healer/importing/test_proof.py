from healer.importing.proof import prove

ORGANISM = "version: 1\nrules: {files: [rules.d/a.yaml]}\ntargets: [{kind: tcp, name: db, port: 5432}]\n"
RULE = "version: 1\nrules: [{id: a, target: 'tcp:db', when: 'tcp.ok{target} == 0', then: [{notify: {}}]}]\n"


def test_what_loads_is_proved(monkeypatch):
    monkeypatch.setenv("HEALER_MODE", "nonsense")
    proof = prove({"organism.yaml": ORGANISM, "rules.d/a.yaml": RULE})
    assert (proof.problems, proof.findings) == ((), ())


def test_mistakes_and_findings_are_told_with_their_places():
    wrong = prove({"organism.yaml": ORGANISM + "targts: []\n", "rules.d/a.yaml": RULE})
    assert wrong.problems[0].startswith("organism.yaml:4:1")
    wrong = prove({"organism.yaml": ORGANISM, "rules.d/a.yaml": RULE.replace("notify", "notfy")})
    assert wrong.problems[0].startswith("rules.d/a.yaml:2:")
    odd = prove({"organism.yaml": ORGANISM, "rules.d/a.yaml": RULE.replace("tcp:db", "tcp:gone")})
    assert odd.findings
