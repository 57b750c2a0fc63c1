// Signed notes, checkpoints, cosignatures and policies (c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy).
import { Unproven, base64, hex, join, octetsOf, textOf, unbase64 } from "./bytes.js";
import { ed25519Signed } from "./keys.js";
import { sha256 } from "./sha256.js";

const MOST_SIGNATURES = 100;
const MOST_OCTETS = 1024 * 1024;
const LINE = /^\u2014 ([^\s+]+) (\S+)$/u;
const ED25519 = 0x01;
const COSIGNATURE = 0x04;
/** ML-DSA-44 cosignatures: known by name, but no browser can check them yet. */
const ML_DSA = 0x06;

/** A verifier key: `name+id+base64(type ‖ key)`. Types other than Ed25519's two are kept, and verify nothing. */
export class VerifierKey {
  static parse(line) {
    const found = /^([^\s+]+)\+([0-9a-fA-F]{8})\+(\S+)$/u.exec(line);
    const raw = found && unbase64(found[3]);
    if (!raw || raw.length < 2) throw new Unproven("not a verifier key (name+id+key)");
    const [, name, id] = found;
    const key = new VerifierKey();
    key.name = name;
    key.id = id.toLowerCase();
    key.type = raw[0];
    key.octets = raw.subarray(1);
    if (keyId(name, raw) !== key.id) throw new Unproven(`the verifier key of ${name} has the id of another`);
    if ((key.type === ED25519 || key.type === COSIGNATURE) && key.octets.length !== 32) throw new Unproven(`the verifier key of ${name} is not 32 octets`);
    return key;
  }
}

function keyId(name, raw) {
  return hex(sha256(join(octetsOf(`${name}\n`), raw)).subarray(0, 4));
}

/** A signed note: its text, and its signature lines as {name, id, octets}. */
export function parseNote(octets) {
  if (octets.length > MOST_OCTETS) throw new Unproven("a note of more than a mebibyte");
  let whole;
  try {
    whole = textOf(octets);
  } catch {
    throw new Unproven("a note that is not UTF-8");
  }
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole)) throw new Unproven("a note with control characters");
  const cut = whole.lastIndexOf("\n\n");
  if (cut < 0 || !whole.endsWith("\n") || cut + 2 === whole.length) throw new Unproven("not a signed note");
  const lines = whole.slice(cut + 2, -1).split("\n");
  if (lines.length > MOST_SIGNATURES) throw new Unproven("a note with too many signatures");
  const signatures = lines.map((line) => {
    const found = LINE.exec(line);
    const raw = found && unbase64(found[2]);
    if (!raw || raw.length < 5) throw new Unproven("a line of the note is no signature");
    return { name: found[1], id: hex(raw.subarray(0, 4)), octets: raw.subarray(4) };
  });
  return { text: whole.slice(0, cut + 1), signatures };
}

/** Whether one signature line is good under a key: for a cosignature its time in seconds, else true; or false. */
export async function lineSigned(key, note, line) {
  if (line.name !== key.name || line.id !== key.id) return false;
  if (key.type === ED25519) return ed25519Signed(key.octets, line.octets, octetsOf(note.text));
  if (key.type !== COSIGNATURE || line.octets.length !== 72) return false;
  const time = new DataView(line.octets.buffer, line.octets.byteOffset).getBigUint64(0);
  if (time >= 2n ** 63n) return false;
  const message = octetsOf(`cosignature/v1\ntime ${time}\n${note.text}`);
  return (await ed25519Signed(key.octets, line.octets.subarray(8), message)) && Number(time);
}

/** Which of `keys` signed a note, as a Map to what lineSigned says. Throws Unproven where a known key's signature is bad. */
export async function signers(note, keys) {
  const found = new Map();
  for (const line of note.signatures) {
    for (const key of keys) {
      if (key.name !== line.name || key.id !== line.id || (key.type !== ED25519 && key.type !== COSIGNATURE)) continue;
      const said = await lineSigned(key, note, line);
      if (said === false) throw new Unproven(`the signature of ${key.name} does not verify`);
      if (!found.has(key) || found.get(key) < said) found.set(key, said);
    }
  }
  return found;
}

/** The text of a note, and the names of the keys that signed it: throws Unproven where none of them is known. */
export async function openNote(octets, keys) {
  const note = parseNote(octets);
  const named = keys.map((key) => `${key.name} ${key.id}`);
  const twice = (line) => named.indexOf(`${line.name} ${line.id}`) !== named.lastIndexOf(`${line.name} ${line.id}`);
  if (note.signatures.some(twice)) throw new Unproven("two of the known keys have the same name and id");
  const found = await signers(note, keys);
  if (!found.size) throw new Unproven("no signature by a known key");
  return { text: note.text, names: [...found.keys()].map((key) => key.name) };
}

/** A checkpoint: origin, size, root and the note it stands in; throws Unproven where it is none. */
export function parseCheckpoint(octets) {
  const note = parseNote(octets);
  const [origin, size, root, ...more] = note.text.slice(0, -1).split("\n");
  const digest = root === undefined ? null : unbase64(root);
  if (!origin || !/^(0|[1-9][0-9]{0,15})$/.test(size ?? "") || !Number.isSafeInteger(Number(size)) || digest?.length !== 32) throw new Unproven("not a checkpoint");
  if (more.some((line) => line === "")) throw new Unproven("a checkpoint with an empty line");
  return { origin, size: Number(size), root: digest, note };
}

/** A policy of c2sp.org/tlog-policy: whose checkpoints count, and whose cosignatures suffice. */
export class Policy {
  static parse(octets) {
    const policy = new Policy();
    policy.logs = [];
    policy.witnesses = new Map();
    policy.groups = new Map();
    policy.quorum = null;
    policy.keys = new Set();
    // Names are opaque octets there, so each octet is read as one character.
    const text = Array.from(octets, (octet) => String.fromCharCode(octet)).join("");
    // eslint-disable-next-line no-control-regex
    if (octets.length > MOST_OCTETS || /[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)) throw new Unproven("not a policy: control characters, or too long");
    text.split("\n").forEach((line, index) => {
      const words = line.split(/[ \t]+/).filter(Boolean);
      if (!words.length || words[0].startsWith("#")) return;
      try {
        policy.#line(words);
      } catch (error) {
        throw new Unproven(`policy, line ${index + 1}: ${error.message}`);
      }
    });
    if (policy.quorum === null) throw new Unproven("the policy has no quorum line");
    return policy;
  }

  #line([word, ...rest]) {
    if (word === "log" && (rest.length === 1 || rest.length === 2)) this.logs.push(this.#key(rest[0], "log"));
    else if (word === "witness" && (rest.length === 2 || rest.length === 3)) this.witnesses.set(this.#fresh(rest[0]), this.#key(rest[1], "witness"));
    else if (word === "group" && rest.length >= 3) this.#group(rest);
    else if (word === "quorum" && rest.length === 1 && this.quorum === null) this.quorum = rest[0] === "none" ? rest[0] : this.#known(rest[0]);
    else throw new Unproven(`"${word}" cannot stand here like this`);
  }

  #key(words, role) {
    const key = VerifierKey.parse(textOf(Uint8Array.from(words, (letter) => letter.charCodeAt(0))));
    // A key that signs as a log must not count as a witness, nor the other way round.
    if ((role === "log" && key.type === COSIGNATURE) || (role === "witness" && key.type !== COSIGNATURE && key.type !== ML_DSA)) throw new Unproven(`the key of ${key.name} is not of the kind a ${role} signs with`);
    const mark = `${role} ${base64(key.octets)}`;
    if (this.keys.has(mark)) throw new Unproven(`a key is there twice as a ${role}`);
    this.keys.add(mark);
    return key;
  }

  #fresh(name) {
    if (name === "none" || this.witnesses.has(name) || this.groups.has(name)) throw new Unproven(`the name ${name} is taken`);
    return name;
  }

  #known(name) {
    if (!this.witnesses.has(name) && !this.groups.has(name)) throw new Unproven(`${name} is not defined above`);
    return name;
  }

  #group([name, least, ...members]) {
    this.#fresh(name);
    if (new Set(members).size !== members.length) throw new Unproven("a member is there twice");
    members.forEach((member) => this.#join(member));
    const k = { any: 1, all: members.length }[least] ?? (/^[1-9][0-9]{0,5}$/.test(least) ? Number(least) : 0);
    if (k < 1 || k > members.length) throw new Unproven(`${least} of ${members.length} cannot be`);
    this.groups.set(name, { k, members });
  }

  #join(member) {
    this.#known(member);
    this.members ??= new Set();
    if (this.members.has(member)) throw new Unproven(`${member} is a member of two groups`);
    this.members.add(member);
  }

  /** Whether the witnesses in `signed` (names) suffice. */
  suffices(signed, name = this.quorum) {
    if (name === "none") return true;
    const group = this.groups.get(name);
    if (!group) return signed.has(name);
    return group.members.filter((member) => this.suffices(signed, member)).length >= group.k;
  }

  /** Whether a checkpoint that `found` (see signers) signed is witnessed: {since: seconds} of its newest sufficient set, or null. */
  witnessed(checkpoint, found) {
    // Where nobody was asked to witness, nobody did.
    if (this.quorum === "none" || !signedByLog(checkpoint, found, this.logs)) return null;
    const times = new Map();
    for (const [name, key] of this.witnesses) if (typeof found.get(key) === "number") times.set(name, found.get(key));
    for (const since of [...new Set(times.values())].sort((left, right) => right - left)) {
      const young = new Set([...times].filter(([, time]) => time >= since).map(([name]) => name));
      if (this.suffices(young)) return { since };
    }
    return null;
  }
}

/** Whether a log's own key, named like its origin, is among those that signed a checkpoint. */
export function signedByLog(checkpoint, found, keys) {
  return keys.some((key) => key.type === ED25519 && key.name === checkpoint.origin && found.has(key));
}
