// Bundles: proofs of single entries (c2sp.org/tlog-proof@v1) that need no log.
import { Unproven, Wrong, hex, octetsOf, textOf, unbase64, unhex } from "./bytes.js";
import { onlyEntry, parseEntry, parseHeader } from "./format.js";
import { RsaKey } from "./keys.js";
import { included, leafHash } from "./merkle.js";
import { parseCheckpoint } from "./note.js";
import { sha256 } from "./sha256.js";

const FAMILY = "c2sp.org/tlog-proof@";
const FIRST_LINE = `${FAMILY}v1`;
const MOST_EXTRA = 16 * 1024 * 1024;
const MOST_OCTETS = 256 * 1024 * 1024;
const LONGEST_LINE = 65536;
const LONGEST_PATH = 63;

export function looksLikeBundle(octets) {
  return FAMILY === String.fromCharCode(...octets.subarray(0, FAMILY.length));
}

/** One tlog-proof document: {extra, index, path, checkpoint}, the last as text; throws Wrong where it is none. */
export function parseProof(text) {
  const cut = text.indexOf("\n\n");
  const lines = text.slice(0, Math.max(cut, 0)).split("\n");
  if (cut < 0 || lines.shift() !== FIRST_LINE) throw new Wrong("not a tlog-proof");
  let extra = null;
  if (lines[0]?.startsWith("extra ")) {
    const line = lines.shift();
    if (line.length > (MOST_EXTRA * 4) / 3 + 16) throw new Wrong("the extra line is longer than 16 MiB");
    extra = unbase64(line.slice(6));
    if (!extra) throw new Wrong("the extra line is not base64");
  }
  const found = /^index (0|[1-9][0-9]{0,15})$/.exec(lines.shift() ?? "");
  if (!found || !Number.isSafeInteger(Number(found[1]))) throw new Wrong("no proper index line");
  if (lines.length > LONGEST_PATH) throw new Wrong("the path is longer than any tree is high");
  const path = lines.map((line) => (line.length < LONGEST_LINE ? unbase64(line) : null));
  if (path.some((hash) => hash?.length !== 32)) throw new Wrong("a line of the path is not a hash");
  return { extra, index: Number(found[1]), path, checkpoint: text.slice(cut + 2) };
}

/** The documents of a bundle, as texts. */
export function documents(octets) {
  if (octets.length > MOST_OCTETS) throw new Unproven("a bundle of more than 256 MiB");
  let text;
  try {
    text = textOf(octets);
  } catch {
    throw new Wrong("a bundle that is not UTF-8");
  }
  if (!text.startsWith(`${FIRST_LINE}\n`)) throw new Unproven("its first line is not that of the version this page knows");
  return text.split(/^(?=c2sp\.org\/tlog-proof@v1\n)/m);
}

function onlyKeys(value, names, what) {
  const right = typeof value === "object" && value !== null && Object.keys(value).sort().join() === names;
  if (!right) throw new Wrong(`${what} does not have exactly the members ${names}`);
}

function blob(value, what) {
  const octets = typeof value === "string" ? unbase64(value) : null;
  if (!octets) throw new Wrong(`${what} is not base64`);
  return octets;
}

/** What stands in the extra line: {hdr, sig, rsig, entries: [{at, octets, path}]}. */
export function parseExtra(octets) {
  let value;
  try {
    value = JSON.parse(textOf(octets ?? new Uint8Array(0)));
  } catch {
    throw new Wrong("the extra line holds no JSON");
  }
  onlyKeys(value, "entries,hdr,rsig,sig,v", "the extra line");
  if (!Number.isSafeInteger(value.v)) throw new Wrong("a bundle whose version is no number");
  if (value.v !== 1) throw new Unproven(`a bundle of version ${String(value.v).slice(0, 20)}, which this page does not know`);
  if (!Array.isArray(value.entries) || !value.entries.length) throw new Wrong("a bundle without entries");
  const entries = value.entries.map((entry) => {
    onlyKeys(entry, "at,octets,path", "an entry of the bundle");
    if (!Number.isSafeInteger(entry.at) || entry.at < 0 || !Array.isArray(entry.path)) throw new Wrong("an entry of the bundle has no place or no path");
    const path = entry.path.map((hash) => blob(hash, "a hash of a path"));
    if (path.some((hash) => hash.length !== 32)) throw new Wrong("a hash of a path is not 32 octets");
    return { at: entry.at, octets: blob(entry.octets, "an entry"), path };
  });
  return { hdr: blob(value.hdr, "hdr"), sig: blob(value.sig, "sig"), rsig: blob(value.rsig, "rsig"), entries };
}

function checkpointOf(proof) {
  try {
    return parseCheckpoint(octetsOf(proof.checkpoint));
  } catch (error) {
    throw new Wrong(error.message);
  }
}

/** One block of a bundle, everything in it checked but the key: throws Wrong or Unproven. */
export function checkBlock(text, deep) {
  const proof = parseProof(text);
  const checkpoint = checkpointOf(proof);
  const { hdr, sig, rsig, entries } = parseExtra(proof.extra);
  const header = parseHeader(hdr);
  if (header.height !== proof.index) throw new Wrong(`its index is ${proof.index}, its height ${header.height}`);
  if (checkpoint.origin !== header.origin) throw new Wrong("its checkpoint is of another log");
  if (!included(proof.index, checkpoint.size, leafHash(hdr), proof.path, checkpoint.root)) throw new Wrong("the header is not in the checkpoint's tree");
  for (const { at, octets, path } of entries) {
    if (!included(at, header.count, leafHash(octets), path, unhex(header.root))) throw new Wrong(`the entry at place ${at} is not in the block`);
    if (deep && parseEntry(octets).seq !== header.first + at) throw new Wrong(`the entry at place ${at} has another number`);
  }
  return { header, hdr, sig, rsig, entries, checkpoint, hash: sha256(hdr), height: header.height };
}

/** Whether the pinned key signed a block of a bundle; in a `rotate` block its new key as well. Throws Wrong. */
export async function checkSignature(block, key) {
  const { header, hdr, sig, entries } = block;
  const signers = [key];
  if (header.keys.length !== (header.why === "rotate" ? 2 : 1)) throw new Wrong(`${header.keys.length} keys signed a ${header.why} block`);
  if (header.keys[0] !== key.fingerprint) throw new Wrong("another key than the pinned one signed it");
  if (header.why === "rotate") {
    const { octets } = entries[0];
    const framed = new Uint8Array(4 + octets.length);
    new DataView(framed.buffer).setUint32(0, octets.length);
    framed.set(octets, 4);
    const next = await RsaKey.ofDer(unbase64(String(onlyEntry(header, framed).data.new)) ?? new Uint8Array(2));
    if (next.fingerprint !== header.keys[1]) throw new Wrong("the new key's fingerprint is another");
    signers.push(next);
  }
  let at = 0;
  if (sig.length !== signers.reduce((sum, one) => sum + one.size, 0)) throw new Wrong("the signature has not the length of its key");
  if (header.why !== "rotate" && sig.every((octet) => octet === 0)) throw new Unproven("its RSA signature has not been made yet");
  for (const one of signers) {
    if (!(await one.signed(hdr, sig.subarray(at, at + one.size)))) throw new Wrong("the RSA signature is not good");
    at += one.size;
  }
}

export const headOf = (block) => hex(block.hash);
