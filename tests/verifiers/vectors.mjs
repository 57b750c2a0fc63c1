// Runs published test vectors through the browser's modules: `node vectors.mjs FOLDER` prints {name: [seen, wrong ...]}.
import "./webcrypto.mjs";
import fs from "node:fs";
import path from "node:path";
import { hex, unbase64, unhex } from "../../verifiers/browser/bytes.js";
import { documents, parseProof } from "../../verifiers/browser/bundle.js";
import { parse } from "../../verifiers/browser/canonical.js";
import { RsaKey, ed25519Signed } from "../../verifiers/browser/keys.js";
import { Lanes } from "../../verifiers/browser/lanes.js";
import { included, leafHash, rootOf } from "../../verifiers/browser/merkle.js";
import { VerifierKey, openNote } from "../../verifiers/browser/note.js";
import { sha256 } from "../../verifiers/browser/sha256.js";
import { webcrypto } from "node:crypto";

const folder = process.argv[2];
const read = (...names) => JSON.parse(fs.readFileSync(path.join(folder, ...names), "utf8"));
const results = {};

function tell(name, right, what) {
  results[name] ??= { seen: 0, wrong: [] };
  results[name].seen += 1;
  if (!right) results[name].wrong.push(what);
}

async function passes(work) {
  try {
    await work();
    return true;
  } catch (error) {
    if (!/^(Wrong|Unproven)$/.test(error.constructor.name)) throw error;
    return false;
  }
}

function files(...names) {
  const start = path.join(folder, ...names);
  return fs.readdirSync(start, { recursive: true }).map((file) => path.join(start, file)).filter((file) => file.endsWith(".json"));
}

// RSASSA-PSS takes any message there; ours is framed, so the key's handle is asked directly.
for (const group of read("wycheproof", "rsa_pss_3072_sha256_mgf1_32_test.json").testGroups) {
  const key = await RsaKey.ofPem(group.publicKeyPem);
  for (const test of group.tests) {
    const good = await webcrypto.subtle.verify({ name: "RSA-PSS", saltLength: 32 }, key.handle, unhex(test.sig), unhex(test.msg));
    tell("wycheproof rsa-pss", good === (test.result === "valid"), test.tcId);
  }
}
for (const group of read("wycheproof", "ed25519_test.json").testGroups) {
  for (const test of group.tests) {
    const good = await ed25519Signed(unhex(group.publicKey.pk), unhex(test.sig), unhex(test.msg));
    tell("wycheproof ed25519", good === (test.result === "valid"), test.tcId);
  }
}
for (const test of read("signed-note", "signed_note.json").open) {
  const keys = test.vkeys.map((line) => VerifierKey.parse(line));
  let names = null;
  const good = await passes(async () => {
    names = (await openNote(unhex(test.msg_hex), keys)).names;
  });
  tell("signed notes", good === !test.wantErr && (!good || names.sort().join() === [...test.verified].sort().join()), test.desc);
}
for (const vkey of read("signed-note", "signed_note.json").bad_vkeys) {
  // A key of an unknown kind is read, since a policy may name one, but verifies nothing.
  if (/unknown algorithm/.test(vkey.why)) tell("bad verifier keys", VerifierKey.parse(vkey.vkey).type > 6, vkey.why);
  else tell("bad verifier keys", !(await passes(() => VerifierKey.parse(vkey.vkey))), vkey.why);
}
const proofs = read("tlog-proof", "tlog_proof.json");
for (const test of proofs.good) tell("tlog-proof", await passes(() => documents(new TextEncoder().encode(test.text)).map(parseProof)), test.desc);
for (const test of proofs.bad) tell("tlog-proof", !(await passes(() => documents(new TextEncoder().encode(test.text)).map(parseProof))), test.desc);
for (const file of files("transparency-dev-merkle", "testdata", "inclusion")) {
  const test = JSON.parse(fs.readFileSync(file, "utf8"));
  const good = included(test.leafIdx, test.treeSize, unbase64(test.leafHash ?? "") ?? [], (test.proof ?? []).map(unbase64), unbase64(test.root ?? "") ?? []);
  tell("inclusion", good === !test.wantErr, file);
}
const reference = read("rfc6962-reference", "rfc6962_reference.json");
reference.root_hashes_hex_by_tree_size.forEach((root, size) => {
  tell("rfc 6962 roots", hex(rootOf(reference.leaf_inputs_hex.slice(0, size).map((leaf) => leafHash(unhex(leaf))))) === root, size);
});
const canonical = path.join(folder, "rfc8785-cyberphone", "testdata");
for (const name of fs.readdirSync(path.join(canonical, "output"))) {
  // What it holds are floats, arrays and keys beyond ASCII: valid RFC 8785, and none of it in the strict profile.
  const octets = new Uint8Array(fs.readFileSync(path.join(canonical, "output", name)));
  tell("outside the profile", !(await passes(() => parse(octets))), name);
}
const lanes = new Lanes();
for (let count = 1; count < 70; count++) {
  const parts = Array.from({ length: count }, (_, i) => webcrypto.getRandomValues(new Uint8Array((i * 37 + count) % 300)));
  const places = new Uint32Array(2 * count);
  let at = 0;
  parts.forEach((part, i) => {
    places[2 * i] = at;
    places[2 * i + 1] = at += part.length;
  });
  const body = new Uint8Array(Buffer.concat(parts));
  tell("four lanes", hex(lanes.root(body, places)) === hex(rootOf(parts.map(leafHash))), count);
  const other = new Uint8Array(await webcrypto.subtle.digest("SHA-256", body));
  tell("sha256", hex(sha256(body)) === hex(other), count);
}
process.stdout.write(JSON.stringify(results));
