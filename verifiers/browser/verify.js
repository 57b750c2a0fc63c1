// The walk through a log and the verdict at its end: docs/log-format.md, "Verifying" and "Levels", rule by rule, hence over 400 lines.
import { Unproven, Wrong, hex, same, unbase64, unhex, zeros } from "./bytes.js";
import { checkBlock, checkSignature, documents, headOf } from "./bundle.js";
import { Shelf } from "./explore.js";
import { Ledger } from "./ledger.js";
import { cutBody, onlyEntry, parseHeader, pruned } from "./format.js";
import { RsaKey, knowsEd25519, ratchetSigned, subtle } from "./keys.js";
import { hasher } from "./lanes.js";
import { Frontier, leafHash } from "./merkle.js";
import { Outside } from "./outside.js";
import { sha256 } from "./sha256.js";
import { Database } from "./sqlite.js";

const IN_FLIGHT = 24;
const MOST_FINDINGS = 1000;
const DAY = 86400;
const SMALL = 4096;
export const LEVELS = ["L0", "L1", "L2", "L3", "L4"];
const NO_SUBTLE =
  "this page was opened over plain http from another machine, where browsers offer no cryptography: no signature could be checked. Open it as a file, from localhost, or over https";

/** What was found wrong, by height; kept short, counted whole. */
class Findings {
  constructor() {
    this.list = [];
    this.count = { tampered: 0, unproven: 0 };
  }

  add(verdict, height, text) {
    this.count[verdict] += 1;
    if (this.list.length < MOST_FINDINGS) this.list.push({ height, verdict, text: String(text) });
  }

  sorted() {
    return this.list.sort((left, right) => (left.height ?? Infinity) - (right.height ?? Infinity));
  }
}

async function digest(octets) {
  // A promise costs more than hashing a small block here.
  if (!subtle || octets.length < SMALL) return sha256(octets);
  return new Uint8Array(await subtle.digest("SHA-256", octets));
}

class Walk {
  constructor(outside, key, archives, options, findings) {
    Object.assign(this, { outside, key, archives, options, findings });
    this.pending = new Set();
    this.tree = new Frontier();
    this.before = null;
    this.blocks = 0;
    this.entries = 0;
    this.bodies = 0;
    this.breaks = [];
    this.lastBreak = -1;
    this.unsigned = !key;
    this.fingerprints = new Set(key ? [key.fingerprint] : []);
    this.gone = [];
    this.unread = -1;
    this.reigns = key ? [[0, key]] : [];
    this.ledger = options.deep ? new Ledger() : null;
    this.merkle = options.merkle ?? hasher(null).root;
  }

  tell(height, text) {
    this.findings.add("tampered", height, text);
  }

  doubt(height, text) {
    this.findings.add("unproven", height, text);
  }

  /** Do `work`, and report what it throws at `height`. */
  async guard(height, work) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Wrong) this.tell(height, error.message);
      else if (error instanceof Unproven) this.doubt(height, error.message);
      else throw error;
      return null;
    }
  }

  /** Let `work` run beside the walk, but never too much of it. */
  async later(height, work) {
    const running = this.guard(height, work).finally(() => this.pending.delete(running));
    this.pending.add(running);
    if (this.pending.size >= IN_FLIGHT) await Promise.race(this.pending);
  }

  async row(row) {
    const { height } = row;
    const typed = ["hdr", "sig", "rsig", "body"].every((name) => row[name] instanceof Uint8Array);
    if (!typed || ![row.height, row.first, row.n].every(Number.isSafeInteger)) {
      const why = row.tooLarge ? `the row has ${row.tooLarge} octets, more than any block` : "a column is not of its type";
      this.tell(height, why);
      this.before = { unreadable: true, height };
      return;
    }
    const hash = sha256(row.hdr);
    const header = await this.header(row);
    if (this.stopped) return;
    this.tree.append(leafHash(row.hdr));
    this.blocks += 1;
    if (!header) {
      // The hash still joins the next block to this one.
      this.before = { hash, height };
      return;
    }
    if (header.height !== height || header.first !== row.first || header.count !== row.n) this.tell(height, "the columns height, first, n differ from the header");
    this.chain(header);
    const block = { ...row, header, hash, before: this.before };
    const body = await this.body(block);
    await this.signatures(block, body);
    if (this.blocks === 1 || !this.outside.byHeight) this.outside.meet(header.origin, (at, text) => this.tell(at, text));
    this.outside.pass(header, hash, this.tree, (at, text) => this.tell(at, text));
    this.entries += header.count;
    this.before = { hash, header, height };
  }

  /** The header of a row, or null; one of an unknown version ends the walk. */
  async header({ height, hdr }) {
    try {
      return parseHeader(hdr);
    } catch (error) {
      if (error instanceof Wrong) this.tell(height, error.message);
      else if (error instanceof Unproven) this.stopped = `block ${height}: ${error.message}; nothing beyond it was read`;
      else throw error;
      return null;
    }
  }

  chain(header) {
    const { before } = this;
    const { height } = header;
    const { expectOrigin } = this.options;
    if (!before) {
      if (height !== 0) this.tell(height, `the log begins at block ${height}, not at 0`);
      else if (header.first !== 0) this.tell(height, "the first entry is not number 0");
      else if (!zeros(unhex(header.prev))) this.tell(height, "block 0 names a block before it");
      if (expectOrigin && header.origin !== expectOrigin) this.tell(height, `the log is ${header.origin}, not ${expectOrigin}`);
      return;
    }
    if (height !== before.height + 1) this.tell(height, `block ${height} follows block ${before.height}`);
    if (before.hash && header.prev !== hex(before.hash)) this.tell(height, "it does not name the block before it");
    if (!before.header) return;
    const last = before.header;
    if (header.first !== last.first + last.count) this.tell(height, `its first entry is number ${header.first}, not ${last.first + last.count}`);
    if (header.origin !== last.origin) this.tell(height, "it is of another log");
    if (header.boot === last.boot && header.mono < last.mono) this.tell(height, "the monotonic clock fell within one boot");
  }

  // ------------------------------------------------------------------------------------------ signatures

  async signatures(block, body) {
    const { header, sig } = block;
    const { height, keys } = header;
    const turning = header.why === "rotate";
    const ratchet = await this.ratchet(block);
    if (keys.length !== (turning ? 2 : 1)) this.tell(height, `${keys.length} keys signed a ${header.why} block`);
    const signers = this.key ? [this.key] : null;
    if (this.key && keys[0] !== this.key.fingerprint) this.tell(height, "another key than the one in force signed");
    if (turning) {
      const next = await this.rotation(block, body);
      if (signers && next) signers.push(next);
      if (this.key) {
        this.key = next;
        this.reigns.push([height + 1, next]);
      }
      if (signers && !next) return;
    }
    if (!signers) return;
    const size = signers.reduce((sum, key) => sum + key.size, 0);
    if (sig.length !== size) this.tell(height, `a signature of ${sig.length} octets, not ${size}`);
    else if (zeros(sig) && !turning) await this.waiting(height, ratchet.good);
    else if (!subtle) this.unsigned = true;
    else await this.later(height, () => this.rsa(signers, block));
  }

  async rsa(signers, { hdr, sig }) {
    let at = 0;
    for (const key of signers) {
      if (!(await key.signed(hdr, sig.subarray(at, at + key.size)))) throw new Wrong("the RSA signature is not good");
      at += key.size;
    }
  }

  async waiting(height, ratchet) {
    this.unsigned = true;
    if (await ratchet) this.doubt(height, "its RSA signature has not been made yet");
    else if (!this.noRatchet) this.tell(height, "it has no signature at all");
    else this.doubt(height, "its RSA signature has not been made yet, and its ratchet signature could not be checked");
  }

  /** Rule 5. Answers {good}: whether there is a good ratchet signature, perhaps as a promise, since it is checked meanwhile. */
  async ratchet({ header, hdr, rsig, before }) {
    const { height, why } = header;
    if (height > 0 && !rsig.length) {
      this.lastBreak = height;
      if (this.breaks.length < MOST_FINDINGS) this.breaks.push(height);
    }
    if (before && !before.header) return { good: false };
    const due = before?.header.next ?? "";
    if (due === "") {
      if (rsig.length) this.tell(height, "a ratchet signature where none is due");
      if (why === "restart") this.tell(height, "a restart where no ratchet was lost");
      return { good: false };
    }
    if (!rsig.length) {
      if (why !== "restart") this.tell(height, "its ratchet signature is missing");
      return { good: false };
    }
    if (this.noRatchet) return { good: false };
    const good = ratchetSigned(due, hdr, rsig);
    await this.later(height, async () => {
      if (!(await good)) throw new Wrong("the ratchet signature is not good");
    });
    return { good };
  }

  /** The key a `rotate` block brings, or null where it cannot be known. */
  async rotation({ header, height }, body) {
    if (!body) {
      this.doubt(height, "the block that changed the key is pruned: give its archive, or later signatures cannot be checked");
      this.unsigned = true;
      return null;
    }
    const found = await this.guard(height, async () => {
      const { data } = onlyEntry(header, body);
      const names = Object.keys(data).join();
      if (names !== "fingerprint,new" && names !== "fingerprint,new,trusted_to") throw new Wrong("the rotate entry's data has other fields than it should");
      const der = typeof data.new === "string" ? unbase64(data.new) : null;
      const trusted = data.trusted_to ?? height - 1;
      if (!der || !Number.isInteger(trusted) || (names.endsWith("trusted_to") && (trusted < 0 || trusted >= height))) throw new Wrong("the rotate entry's data is not of the right form");
      const key = await RsaKey.ofDer(der).catch((error) => {
        throw new Wrong(`the new key: ${error.message}`);
      });
      if (data.fingerprint !== key.fingerprint || header.keys[1] !== key.fingerprint) throw new Wrong("the new key's fingerprint is another");
      if (this.fingerprints.has(key.fingerprint) || header.keys[0] === key.fingerprint) throw new Wrong("the new key was in force before");
      return { key, trusted };
    });
    if (!found) this.unsigned = true;
    else this.revoke(found.trusted + 1, height);
    if (found) this.fingerprints.add(found.key.fingerprint);
    return found?.key ?? null;
  }

  /** Blocks from `from` up to a rotation are in doubt, as far as nobody outside saw them before it. */
  revoke(from, height) {
    const first = Math.max(from, this.outside.covers + 1);
    if (first < height) {
      this.unsigned = true;
      this.doubt(first, `blocks ${first} to ${height - 1} were sealed with a key that was revoked from there on, and nobody saw them before`);
    }
  }

  // ----------------------------------------------------------------------------------------------- body

  /** Rules 6 to 8. Answers the body, or null where it is pruned and in no archive. */
  async body(block) {
    const { header, height } = block;
    let { body } = block;
    if (!body.length) {
      if (!height || header.why === "prune" || header.why === "rotate") this.tell(height, "its body is missing, and blocks of its kind keep theirs");
      const last = this.gone[this.gone.length - 1];
      if (last && last[1] === height - 1) last[1] = height;
      else this.gone.push([height, height]);
      body = await this.archived(height);
      if (!body) {
        if (header.why === "prune") this.unread = height;
        this.ledger?.gap();
        return null;
      }
    }
    this.bodies += 1;
    if (header.why === "prune") await this.guard(height, () => this.covered(pruned(onlyEntry(header, body), height)));
    if (body.length !== header.body_len) this.tell(height, `a body of ${body.length} octets, not ${header.body_len}`);
    else
      await this.later(height, async () => {
        if (hex(await digest(body)) !== header.body) throw new Wrong("the body is not the one that was sealed");
      });
    if (this.options.flat && !this.ledger) return body;
    const places = await this.guard(height, () => cutBody(body, header.count));
    if (!places) {
      this.ledger?.gap();
      return body;
    }
    if (!this.options.flat)
      await this.later(height, async () => {
        if (!same(await this.merkle(body, places), unhex(header.root))) throw new Wrong("the entries' Merkle root is another");
      });
    this.ledger?.block(header, body, places, this);
    return body;
  }

  async archived(height) {
    for (const archive of this.archives) {
      const row = await archive.row(height);
      if (row?.body instanceof Uint8Array && row.body.length) return row.body;
    }
    return null;
  }

  covered({ from, to }) {
    this.gone = this.gone.flatMap(([first, last]) => {
      const left = [first, Math.min(last, from - 1)];
      const right = [Math.max(first, to + 1), last];
      return [left, right].filter(([begin, end]) => begin <= end);
    });
  }

  // ---------------------------------------------------------------------------------------------- levels

  end() {
    for (const [from, to] of this.gone) {
      // A prune block that was itself pruned may have covered them: its archive would tell.
      if (this.stopped) this.doubt(from, `the bodies of blocks ${from} to ${to} are missing, and what may say so was not read`);
      else if (to < this.unread) this.doubt(from, `the bodies of blocks ${from} to ${to} are missing; the prune block that may say so, ${this.unread}, is pruned itself: give its archive`);
      else this.tell(from, `the bodies of blocks ${from} to ${to} are missing, and no prune block says so`);
    }
    if (!this.outside.byHeight) this.outside.meet(null, () => {});
    this.outside.end(this.tree.size, Boolean(this.stopped), (at, text) => this.tell(at, text));
  }

  /** Highest level proven for every block, as a number; -1 for none. And the witness. */
  level(now) {
    const { maxAge, tail = 60 } = this.options;
    const head = this.before?.header;
    const witness = head ? this.outside.witness(this.tree.size, tail * 1e6, now - (maxAge ?? DAY) * 1e6) : { reached: false };
    let level = -1;
    if (!this.findings.count.tampered && !this.stopped && head) level = 0;
    if (level === 0 && !this.unsigned) level = 1;
    if (level === 1 && this.lastBreak <= this.outside.covers && head.next !== "" && !this.noRatchet) level = 2;
    if (level >= 1 && witness.reached) level = 3;
    return [level, witness];
  }
}

/** Everything an auditor needs to know of one log; throws Unproven where it cannot be read at all. */
async function walked(input, options, findings, notes, reasons, progress) {
  const outside = await Outside.read(input, notes, reasons);
  const key = input.key ? await RsaKey.ofPem(input.key).catch((error) => void reasons.push(`the key was refused: ${error.message}`)) : null;
  const database = await Database.open(input.log, input.wal);
  if (database.walMode && !input.wal) notes.push("no WAL file was given: if `audit.db-wal` lies beside the log, the newest blocks may be in it");
  const archives = [];
  for (const blob of input.archives ?? []) {
    await Database.open(blob).then(
      (archive) => archives.push(archive),
      (error) => reasons.push(`an archive: ${error.message}`),
    );
  }
  const walk = new Walk(outside, key, archives, options, findings);
  walk.noRatchet = !(await knowsEd25519());
  // Whatever looks at a body takes its own copy before the next row comes: digests and workers do so when they are asked.
  for await (const row of database.rows(-Infinity, true)) {
    await walk.row(row);
    if (walk.stopped) {
      reasons.push(walk.stopped);
      break;
    }
    progress?.(walk, database);
  }
  await Promise.all(walk.pending);
  walk.end();
  walk.database = database;
  return walk;
}

/**
 * Verify a log.
 *
 * `input`: {log, wal, archives} as Blobs, {key} as PEM text, {anchors, checkpoints, policy} as octets, {noteKeys} as lines,
 * {heads} as anchors remembered. `options`: {flat, deep, minLevel, maxAge, tail (seconds), expectOrigin, now (microseconds)}.
 * Answers {verdict, exit, level, reasons, findings, notes, origin, blocks, entries, head, witnessed, breaks, open}.
 */
export async function verifyLog(input, options = {}, progress = null) {
  const findings = new Findings();
  const notes = [];
  const reasons = [];
  let walk = null;
  try {
    walk = await walked(input, options, findings, notes, reasons, progress);
  } catch (error) {
    if (!(error instanceof Unproven) && !(error instanceof Wrong)) throw error;
    findings.add("unproven", null, error.message);
  }
  const now = nowOf(options);
  const [level, witness] = walk ? walk.level(now) : [-1, { reached: false }];
  const head = walk?.before?.header;
  if (!walk?.blocks && walk) reasons.push("the log holds no block");
  if (walk && !input.key) reasons.push("no public key was given: signatures were not checked");
  else if (!subtle) reasons.push(NO_SUBTLE);
  if (walk?.blocks && !walk.outside.matched) reasons.push("no anchor: nobody outside says how long the log was");
  if (head && options.maxAge !== undefined && now - head.sealed > options.maxAge * 1e6) reasons.push("the head is older than you permit");
  if (walk?.noRatchet && subtle) notes.push("this browser does not know Ed25519: L2 and L3 could not be checked");
  return {
    ...verdict(level, options, findings, reasons, notes),
    origin: head?.origin ?? null,
    blocks: walk?.blocks ?? 0,
    entries: walk?.entries ?? 0,
    bodies: walk?.bodies ?? 0,
    head: head ? { height: head.height, hash: hex(walk.before.hash), sealed: head.sealed, age: (now - head.sealed) / 1e6 } : null,
    headKey: head?.keys[0] ?? null,
    anchored: walk?.outside.covers ?? -1,
    witnessed: witness.best ?? null,
    breaks: walk?.breaks ?? [],
    lastBreak: walk?.lastBreak ?? -1,
    open: head?.open ?? null,
    shelf: head ? new Shelf({ database: walk.database, archives: walk.archives, reigns: walk.reigns, head: head.height }) : null,
  };
}

function nowOf(options) {
  return options.now ?? Date.now() * 1000;
}

/** Weigh what was found against what was asked: what every report says, of a log or of a bundle. */
function verdict(level, options, findings, reasons, notes) {
  const least = LEVELS.indexOf(options.minLevel ?? "L1");
  if (level >= 0 && level < least) reasons.push(`the level reached is ${LEVELS[level]}, ${LEVELS[least]} was asked for`);
  if (findings.count.unproven) reasons.push("something could not be proven, see below");
  const exit = findings.count.tampered ? 1 : reasons.length ? 2 : 0;
  return {
    verdict: ["proven", "tampered", "not proven"][exit],
    exit,
    level: level < 0 ? null : LEVELS[level],
    reasons,
    findings: findings.sorted(),
    counted: findings.count,
    notes,
  };
}

/** Verify a bundle: `input.bundle` as octets, the rest as for a log. The report has `shown`: the entries it proves. */
export async function verifyBundle(input, options = {}) {
  const findings = new Findings();
  const [notes, reasons, blocks] = [[], [], []];
  let unread = false;
  const now = nowOf(options);
  const told = async (height, work) => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Wrong) findings.add("tampered", height, error.message);
      else if (error instanceof Unproven) findings.add("unproven", height, error.message);
      else throw error;
      return null;
    }
  };
  const outside = await Outside.read(input, notes, reasons);
  const key = input.key ? await RsaKey.ofPem(input.key).catch((error) => void reasons.push(`the key was refused: ${error.message}`)) : null;
  for (const text of (await told(null, () => documents(input.bundle))) ?? []) {
    const block = await told(null, () => checkBlock(text, options.deep));
    if (!block) {
      unread = true;
      continue;
    }
    blocks.push(block);
    if (options.expectOrigin && block.header.origin !== options.expectOrigin) findings.add("tampered", block.height, `it is of ${block.header.origin}`);
    if (block.header.origin !== blocks[0].header.origin) findings.add("tampered", block.height, "it is of another log than the first");
    if (key && subtle) await told(block.height, () => checkSignature(block, key));
  }
  const known = blocks.length ? await outside.bundle(blocks, (at, text) => findings.add("tampered", at, text), reasons) : { vouched: false, since: null };
  if (!key) reasons.push("no public key: signatures were not checked");
  else if (!subtle) reasons.push(NO_SUBTLE);
  const witnessed = known.since !== null;
  // A proof does not grow stale by itself: its age counts only where the auditor says so.
  if (!known.vouched) reasons.push("no anchor and no policy vouches for each of its blocks");
  const clean = blocks.length && !unread && !findings.count.tampered;
  const level = !clean ? -1 : !key || !subtle || findings.count.unproven ? 0 : witnessed ? 3 : 1;
  const head = blocks.length ? blocks.reduce((left, right) => (right.height > left.height ? right : left)) : null;
  const seen = witnessed ? known.since * 1e6 : head?.header.sealed;
  if (head && options.maxAge !== undefined && now - seen > options.maxAge * 1e6) reasons.push("its cosignatures, or its newest block where it has none, are older than you permit");
  return {
    ...verdict(level, options, findings, reasons, notes),
    origin: head?.header.origin ?? null,
    blocks: blocks.length,
    entries: blocks.reduce((sum, block) => sum + block.entries.length, 0),
    head: head && { height: head.height, hash: headOf(head), sealed: head.header.sealed, age: (now - head.header.sealed) / 1e6 },
    witnessed: known.since === null ? null : { since: known.since },
    shown: blocks.flatMap((block) => block.entries.map(({ at, octets }) => ({ height: block.height, seq: block.header.first + at, octets }))),
  };
}
