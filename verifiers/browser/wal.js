// SQLite's write-ahead log: which pages have newer copies, as far as whole commits with good checksums go.
import { Unproven } from "./bytes.js";

const HEADER = 32;
const FRAME = 24;
const MOST_FRAMES = 1000000;
const CHUNK = 4 * 1024 * 1024;

/** SQLite's checksum of `octets`, continued from [s0, s1]. */
function checksum(view, at, length, little, [s0, s1]) {
  let left = s0;
  let right = s1;
  for (const end = at + length; at < end; at += 8) {
    left = (left + view.getUint32(at, little) + right) >>> 0;
    right = (right + view.getUint32(at + 4, little) + left) >>> 0;
  }
  return [left, right];
}

export class Wal {
  /** Read the frames of a WAL; one that is not for these pages, or has no whole commit, holds nothing. */
  static async open(blob, pageSize) {
    const wal = new Wal();
    wal.blob = blob;
    wal.pageSize = pageSize;
    wal.frames = new Map();
    wal.pages = 0;
    if (blob.size >= HEADER) await wal.#scan();
    return wal;
  }

  /** Where the newest committed copy of a page lies; undefined where the WAL has none. */
  find(number) {
    return this.frames.get(number);
  }

  async octets(at) {
    const octets = new Uint8Array(await this.blob.slice(at, at + this.pageSize).arrayBuffer());
    if (octets.length < this.pageSize) throw new Unproven("the WAL was cut while it was read");
    return octets;
  }

  async #scan() {
    const head = new DataView(await this.blob.slice(0, HEADER).arrayBuffer());
    const magic = head.getUint32(0);
    if (magic !== 0x377f0682 && magic !== 0x377f0683) return;
    const little = magic === 0x377f0682;
    let sum = checksum(head, 0, 24, little, [0, 0]);
    if (sum[0] !== head.getUint32(24) || sum[1] !== head.getUint32(28) || head.getUint32(8) !== this.pageSize) return;
    const step = FRAME + this.pageSize;
    const together = Math.max(1, Math.floor(CHUNK / step));
    let waiting = new Map();
    let seen = 0;
    for (let at = HEADER; at + step <= this.blob.size; ) {
      const count = Math.min(together, Math.floor((this.blob.size - at) / step));
      const view = new DataView(await this.blob.slice(at, at + count * step).arrayBuffer());
      for (let i = 0; i < count; i++, at += step) {
        const from = i * step;
        // Frames of an earlier round carry other salts, torn ones another sum: there the log ends.
        if (view.getUint32(from + 8) !== head.getUint32(16) || view.getUint32(from + 12) !== head.getUint32(20)) return;
        sum = checksum(view, from + FRAME, this.pageSize, little, checksum(view, from, 8, little, sum));
        if (sum[0] !== view.getUint32(from + 16) || sum[1] !== view.getUint32(from + 20)) return;
        if (++seen > MOST_FRAMES) throw new Unproven(`the WAL has more than ${MOST_FRAMES} frames`);
        waiting.set(view.getUint32(from), at + FRAME);
        const pages = view.getUint32(from + 4);
        if (pages === 0) continue;
        for (const [number, place] of waiting) this.frames.set(number, place);
        this.pages = pages;
        waiting = new Map();
      }
    }
  }
}
