// What a header, an anchor, a body and the entries of this log are made of.
import { Unproven, Wrong } from "./bytes.js";
import { parse } from "./canonical.js";

export const ORIGIN = /^[!-*,-~]{1,200}$/;
export const MOST_BODY = 8 * 1024 * 1024;
const MOST_ENTRIES = 4096;
const MOST_ANCHOR = 4096;
const WHY = ["commit", "heartbeat", "restart", "rotate", "prune"];

const isText = (value) => typeof value === "string";
const isInteger = (value) => Number.isInteger(value);
const isCount = (value) => Number.isInteger(value) && value >= 0;
export const isHash = (value) => isText(value) && /^[0-9a-f]{64}$/.test(value);
const isHashOrEmpty = (value) => value === "" || isHash(value);
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isOrigin = (value) => isText(value) && ORIGIN.test(value);

const HEADER = {
  v: isInteger,
  origin: isOrigin,
  height: isCount,
  first: isCount,
  count: (value) => isCount(value) && value >= 1 && value <= MOST_ENTRIES,
  root: isHash,
  body: isHash,
  body_len: (value) => isCount(value) && value <= MOST_BODY,
  prev: isHash,
  opened: isCount,
  sealed: isCount,
  mono: isCount,
  boot: isText,
  beacon: isHashOrEmpty,
  open: isCount,
  next: isHashOrEmpty,
  keys: (value) => Array.isArray(value) && value.every(isHash),
  why: (value) => WHY.includes(value),
};
const ANCHOR = {
  v: isInteger,
  origin: isOrigin,
  height: isCount,
  count: isCount,
  head: isHash,
  key: isHash,
  sealed: isCount,
  root: (value) => isText(value) && /^[0-9a-f]*$/.test(value),
};

function checkFields(value, fields, what) {
  const lacks = Object.keys(fields).find((name) => !(name in value));
  if (lacks) throw new Wrong(`${what} has no ${lacks}`);
  const more = Object.keys(value).find((name) => !(name in fields));
  if (more) throw new Wrong(`${what} has a field ${more} that does not belong there`);
  const odd = Object.keys(fields).find((name) => !fields[name](value[name]));
  if (odd) throw new Wrong(`${what}: its ${odd} is not of the right form`);
}

/** The header that octets spell. Throws Wrong, or Unproven where the version is not known. */
export function parseHeader(octets) {
  const header = parse(octets);
  if (header.v !== 1) throw new Unproven(`a header of version ${JSON.stringify(header.v)?.slice(0, 20)}, which this page does not know`);
  checkFields(header, HEADER, "the header");
  return header;
}

/** The anchor in a file; throws Unproven where it is none. */
export function parseAnchor(octets) {
  if (octets.length > MOST_ANCHOR) throw new Unproven("an anchor of more than 4096 octets");
  if (octets[octets.length - 1] !== 0x0a) throw new Unproven("an anchor does not end with a newline");
  try {
    const anchor = parse(octets.subarray(0, -1));
    if (anchor.v !== 1) throw new Wrong(`an anchor of version ${anchor.v}`);
    checkFields(anchor, ANCHOR, "the anchor");
    return anchor;
  } catch (error) {
    throw new Unproven(`not an anchor: ${error.message}`);
  }
}

/** Where each entry of a body begins and ends, as [begin, end, begin, end ...]; throws Wrong where it does not come apart. */
export function cutBody(body, count) {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const places = new Uint32Array(2 * count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 4 > body.length) throw new Wrong(`the body ends before entry ${i}`);
    const end = at + 4 + view.getUint32(at);
    if (end > body.length) throw new Wrong(`entry ${i} is longer than the body`);
    places[2 * i] = at + 4;
    places[2 * i + 1] = end;
    at = end;
  }
  if (at !== body.length) throw new Wrong(`${body.length - at} octets follow the last entry`);
  return places;
}

const isCommitment = (value) => isObject(value) && Object.keys(value).join() === "c" && isHash(value.c);
/** A text that orders, joins or counts entries stays; any other may be a commitment. */
const plain = isText;
const text = (value) => isText(value) || isCommitment(value);
const array = Array.isArray;
const either = (words) => (value) => words.includes(value);
const OUTCOMES = ["done", "failed-transient", "failed-permanent", "ambiguous", "stale", "cancelled", "interrupted", "refused", "skipped"];
const VERDICTS = ["verified", "unverified", "failed-transient", "failed-permanent", "ambiguous", "stale", "cancelled", "interrupted", "refused"];
const COMMON = { v: isInteger, kind: plain, seq: isInteger, ts: isInteger, mono: isInteger, boot: plain, node: plain };
const BARE = { because: text, "data?": isObject };

/** The fields of each kind; a question mark behind the name where the field may be missing. */
const KINDS = {
  intent: {
    id: plain, corr: plain, action: plain, target: plain, generation: plain, params: isObject, rule: plain, rules_hash: plain,
    step: isInteger, attempt: isInteger, actor: text, because: text, evidence: array, deadline_us: isInteger, mode: plain,
    "request?": plain, "priority?": isInteger, "queued?": isObject, "approval?": plain, "undoes?": plain,
  },
  outcome: {
    of: plain, id: plain, result: either(OUTCOMES), because: text, took_us: isInteger, "rc?": isInteger,
    "generation?": plain, "output_sha256?": plain, "output?": text, "evidence?": array,
    "undo?": isObject,
  },
  verdict: {
    of: plain, id: plain, result: either(VERDICTS), because: text, took_us: isInteger,
    "harmony_before?": isInteger, "harmony_after?": isInteger,
  },
  state: {
    subject: plain, from: plain, to: plain, because: text, "corr?": plain, "rule?": plain, "target?": plain,
    "step?": isInteger, "data?": isObject,
  },
  withheld: { corr: plain, rule: plain, target: plain, action: plain, gate: plain, because: text, "proposal?": text },
  request: { id: plain, verb: plain, who: text, args: isObject, answer: either(["accepted", "refused"]), "because?": text },
  approval: {
    id: plain, "intent_id?": plain, decision: plain, who: text, "because?": text, "corr?": plain, "rule?": plain,
    "target?": plain, "action?": plain, "step?": isInteger, "until_us?": isInteger, "deadline_us?": isInteger,
  },
  maintenance: {
    id: plain, op: either(["add", "end"]), selector: isObject, owner: text, reason: text, until_us: isInteger,
    "from_us?": isInteger, "recurrence?": isObject,
  },
  mode: { scope: plain, mode: plain, who: text, because: text },
  rules: { hash: plain, count: isInteger, files: array, accepted: (value) => typeof value === "boolean", "because?": text },
  lifecycle: { phase: plain, "version?": text, "because?": text, "data?": isObject },
  heartbeat: { "harmony?": isInteger, "data?": isObject },
  evidence: { about: text, sha256: plain, size: isInteger, "data?": isObject },
  event: { type: plain, data: isObject, "who?": text },
  rotate: BARE,
  prune: BARE,
  anchor: BARE,
  gap: BARE,
};
export const KIND_NAMES = Object.keys(KINDS);

/** The entry that octets spell, checked against its kind. Throws Wrong, or Unproven where version or kind is not known. */
export function parseEntry(octets) {
  const entry = parse(octets);
  if (entry.v !== 1) throw new Unproven(`an entry of version ${JSON.stringify(entry.v)?.slice(0, 20)}, which this page does not know`);
  if (isText(entry.kind) && !Object.hasOwn(KINDS, entry.kind)) throw new Unproven(`an entry of the unknown kind ${JSON.stringify(entry.kind).slice(0, 60)}`);
  for (const [name, fits] of Object.entries(COMMON)) {
    if (!(name in entry)) throw new Wrong(`an entry has no ${name}`);
    if (!fits(entry[name])) throw new Wrong(`an entry's ${name} is not of the right form`);
  }
  const fields = KINDS[entry.kind];
  for (const name of Object.keys(entry)) {
    const fits = COMMON[name] ?? fields[name] ?? fields[`${name}?`];
    // A later version may have given this kind a field: that is no contradiction, and no proof.
    if (!fits) throw new Unproven(`an entry of kind ${entry.kind} has a field ${name} that this page does not know`);
    if (!fits(entry[name])) throw new Wrong(`the ${name} of an entry of kind ${entry.kind} is not of the right form`);
  }
  const lacks = Object.keys(fields).find((name) => !name.endsWith("?") && !(name in entry));
  if (lacks) throw new Wrong(`an entry of kind ${entry.kind} has no ${lacks}`);
  return entry;
}

/** The one entry of a `rotate` or `prune` block, or Wrong. */
export function onlyEntry(header, body) {
  if (header.count !== 1) throw new Wrong(`a ${header.why} block holds ${header.count} entries, not one`);
  const [begin, end] = cutBody(body, 1);
  const entry = parseEntry(body.subarray(begin, end));
  if (entry.kind !== header.why) throw new Wrong(`a ${header.why} block holds an entry of kind ${entry.kind}`);
  if (!isObject(entry.data)) throw new Wrong(`the entry of a ${header.why} block has no data`);
  return entry;
}

/** {from, to, ...} of a `prune` entry, checked. */
export function pruned(entry, height) {
  const { data } = entry;
  checkFields(
    data,
    { from: isCount, to: isCount, entries: isCount, sha256: isHash, size: isCount, name: isText },
    "the prune entry's data",
  );
  if (data.from > data.to || data.to >= height) throw new Wrong(`a prune block covers blocks ${data.from} to ${data.to}, which are not all below it`);
  return data;
}

