// Entries to look at: read again from the log's own octets, their block checked again, one page at a time.
import { Wrong, hex, same, textOf, unhex } from "./bytes.js";
import { parse } from "./canonical.js";
import { cutBody, parseHeader } from "./format.js";
import { leafHash, rootOf } from "./merkle.js";
import { sha256 } from "./sha256.js";

export const PAGE = 50;

/** A log as it was walked: where its rows are, which key was in force where, and where the walk ended. */
export class Shelf {
  constructor({ database, archives, reigns, head }) {
    Object.assign(this, { database, archives, reigns, head });
  }

  /** The key in force at a height, or null where none was given. */
  #key(height) {
    let key = null;
    for (const [from, one] of this.reigns) if (from <= height) key = one;
    return key;
  }

  async #block(row) {
    const header = parseHeader(row.hdr);
    if (header.height !== row.height) throw new Wrong("its header is of another height");
    const key = this.#key(row.height);
    const waiting = row.sig.every((octet) => octet === 0);
    if (key && !waiting && !(await key.signed(row.hdr, row.sig.subarray(0, key.size)))) throw new Wrong("its signature is not good");
    let { body } = row;
    for (const archive of this.archives) if (!body.length) body = (await archive.row(row.height))?.body ?? body;
    if (!body.length) return { header, entries: [] };
    if (!same(sha256(body), unhex(header.body))) throw new Wrong("its body is not the one that was sealed");
    const places = cutBody(body, header.count);
    const entries = [];
    for (let i = 0; i < header.count; i++) entries.push({ height: row.height, seq: header.first + i, octets: body.subarray(places[2 * i], places[2 * i + 1]) });
    if (!same(rootOf(entries.map((entry) => leafHash(entry.octets))), unhex(header.root))) throw new Wrong("its Merkle root is another");
    return { header, entries };
  }

  async *#rows(newest) {
    if (!newest) {
      for await (const row of this.database.rows()) {
        if (row.height > this.head) return;
        yield row;
      }
      return;
    }
    for (let height = this.head; height >= 0; height--) {
      const row = await this.database.row(height);
      if (row) yield row;
    }
  }

  /** Entries in order, as {height, seq, octets}; a block that fails is one line with `because` instead. */
  async *entries(newest) {
    for await (const row of this.#rows(newest)) {
      let found;
      try {
        found = (await this.#block(row)).entries;
      } catch (error) {
        yield { height: row.height, because: error instanceof Wrong ? error.message : `it cannot be read (${error.message})` };
        continue;
      }
      yield* newest ? found.reverse() : found;
    }
  }
}

/** What a line shows of an entry; an entry that is not even JSON shows nothing but its octets. */
export function described(octets) {
  try {
    const entry = parse(octets);
    const text = (name) => (typeof entry[name] === "string" ? entry[name] : entry[name] === undefined ? "" : JSON.stringify(entry[name]));
    const said = [text("action") || text("verb") || text("type") || text("phase") || text("subject"), text("result") || text("gate") || text("to"), text("because")];
    return {
      kind: text("kind"),
      target: text("target"),
      rule: text("rule"),
      ts: Number.isInteger(entry.ts) ? entry.ts : null,
      what: said.filter(Boolean).join(" · "),
    };
  } catch {
    return { kind: "", target: "", rule: "", ts: null, what: "not canonical JSON" };
  }
}

/** Microseconds since 1970 in words. */
export function moment(us) {
  const date = new Date(us / 1000);
  return Number.isNaN(date.getTime()) ? `${us} µs` : date.toISOString().replace("T", " ").replace("Z", "");
}

/** Text as it may be shown: controls, and marks that turn the writing round, become visible. */
export function plain(text) {
  return text.replace(
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export function shownOctets(octets) {
  try {
    return plain(textOf(octets));
  } catch {
    return hex(octets);
  }
}

/** Whether an entry passes the filter: {kind, target, rule, text, from, to (µs)}; each where it is set. */
export function passes(octets, seen, filter) {
  if (filter.kind && seen.kind !== filter.kind) return false;
  if (filter.target && !seen.target.includes(filter.target)) return false;
  if (filter.rule && !seen.rule.includes(filter.rule)) return false;
  if ((filter.from !== null || filter.to !== null) && seen.ts === null) return false;
  if ((filter.from !== null && seen.ts < filter.from) || (filter.to !== null && seen.ts > filter.to)) return false;
  return !filter.text || shownOctets(octets).toLowerCase().includes(filter.text.toLowerCase());
}
