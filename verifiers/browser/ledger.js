// The deep look: every entry read, every outcome and verdict set beside its intent.
import { Unproven, Wrong, hex } from "./bytes.js";
import { parseEntry } from "./format.js";
import { leafHash } from "./merkle.js";

/** Which intents were sealed, and which still wait for their outcome. */
export class Ledger {
  constructor() {
    this.open = new Set();
    this.sealed = new Set();
    this.whole = true;
  }

  /** A body is missing: from here on an unknown intent may have been in it. */
  gap() {
    this.whole = false;
  }

  /** Rule 8 for one block; `walk` hears of what is wrong. */
  block(header, body, places, walk) {
    for (let i = 0; i < header.count; i++) {
      const octets = body.subarray(places[2 * i], places[2 * i + 1]);
      try {
        this.#entry(parseEntry(octets), header, i, octets);
      } catch (error) {
        if (error instanceof Wrong) walk.tell(header.height, `entry ${header.first + i}: ${error.message}`);
        else if (error instanceof Unproven) {
          // It may be an intent of a later version: what is open can no longer be counted.
          this.gap();
          walk.doubt(header.height, `entry ${header.first + i}: ${error.message}`);
        } else throw error;
      }
    }
    if (this.whole && this.open.size !== header.open) walk.tell(header.height, `${this.open.size} intents are open, the header says ${header.open}`);
  }

  #entry(entry, header, i, octets) {
    if (entry.seq !== header.first + i) throw new Wrong(`it says it is number ${entry.seq}`);
    if ((entry.kind === "rotate" || entry.kind === "prune") && entry.kind !== header.why) throw new Wrong(`of kind ${entry.kind} in a ${header.why} block`);
    if (entry.kind === "intent") this.#intent(hex(leafHash(octets)));
    else if (entry.kind === "outcome") this.#outcome(entry.of);
    else if (entry.kind === "verdict" && this.whole && !this.sealed.has(entry.of)) throw new Wrong("a verdict on an intent that is not in the log");
  }

  #intent(leaf) {
    this.open.add(leaf);
    this.sealed.add(leaf);
  }

  #outcome(leaf) {
    if (this.open.delete(leaf) || !this.whole) return;
    throw new Wrong(this.sealed.has(leaf) ? "a second outcome of an intent" : "an outcome of an intent that is not in the log");
  }
}
