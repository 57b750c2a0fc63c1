// Merkle roots of whole blocks: four hashes at once in WebAssembly, and in workers where there are any.
import { leafHash, rootOf } from "./merkle.js";
import { COUNTS, LANES, OUT, STRIDE, assembled } from "./wasm.js";

const LONGEST = STRIDE - 128;
const MOST_WORKERS = 4;

/** Roots by WebAssembly; throws where the browser has none of the kind it needs. */
export class Lanes {
  constructor() {
    const { memory, hash } = new WebAssembly.Instance(new WebAssembly.Module(assembled())).exports;
    this.hash = hash;
    this.octets = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.counts = new Int32Array(memory.buffer, COUNTS, 4);
  }

  /** Put `prefix` and octets into a lane, padded as FIPS 180-4 wants it. */
  #fill(lane, prefix, from, begin, end) {
    const { octets } = this;
    const at = LANES + lane * STRIDE;
    const size = end - begin + 1;
    const blocks = (size + 72) >>> 6;
    octets[at] = prefix;
    octets.set(from.subarray(begin, end), at + 1);
    octets[at + size] = 0x80;
    octets.fill(0, at + size + 1, at + 64 * blocks - 4);
    this.view.setUint32(at + 64 * blocks - 4, size * 8);
    this.counts[lane] = blocks;
    return blocks;
  }

  /** Hash what lies in the lanes into `out` at `at`. */
  #run(used, most, out, at) {
    for (let lane = used; lane < 4; lane++) this.counts[lane] = 0;
    this.hash(0, most);
    out.set(this.octets.subarray(OUT, OUT + 32 * used), at);
  }

  /** RFC 6962 root of the entries of a body; `places` as cutBody gives them. */
  root(body, places) {
    const count = places.length / 2;
    const hashes = new Uint8Array(32 * count);
    for (let i = 0; i < count; i += 4) {
      const used = Math.min(4, count - i);
      let most = 0;
      for (let lane = 0; lane < used; lane++) {
        const [begin, end] = [places[2 * (i + lane)], places[2 * (i + lane) + 1]];
        // An entry that no lane can hold is hashed alone, below.
        most = Math.max(most, end - begin > LONGEST ? this.#fill(lane, 0, body, 0, 0) : this.#fill(lane, 0, body, begin, end));
      }
      this.#run(used, most, hashes, 32 * i);
    }
    for (let i = 0; i < count; i++) {
      const [begin, end] = [places[2 * i], places[2 * i + 1]];
      if (end - begin > LONGEST) hashes.set(leafHash(body.subarray(begin, end)), 32 * i);
    }
    return this.#join(hashes, count);
  }

  /** Level by level: pairs are hashed, an odd one at the end rises as it is. */
  #join(hashes, count) {
    for (let left = count; left > 1; left = Math.ceil(left / 2)) {
      const pairs = left >> 1;
      for (let i = 0; i < pairs; i += 4) {
        const used = Math.min(4, pairs - i);
        for (let lane = 0; lane < used; lane++) this.#fill(lane, 1, hashes, 64 * (i + lane), 64 * (i + lane) + 64);
        this.#run(used, 2, hashes, 32 * i);
      }
      if (left % 2 === 1) hashes.copyWithin(32 * pairs, 32 * (left - 1), 32 * left);
    }
    return hashes.slice(0, 32);
  }
}

function plain(body, places) {
  const leaves = [];
  for (let i = 0; i < places.length; i += 2) leaves.push(leafHash(body.subarray(places[i], places[i + 1])));
  return rootOf(leaves);
}

let local = null;

/** Lanes where the browser can, else the plain way; made once. */
export function localHasher() {
  if (local) return local;
  local = { root: plain, close() {} };
  try {
    const lanes = new Lanes();
    local.root = (body, places) => lanes.root(body, places);
  } catch {
    // No WebAssembly with vectors, or a policy forbids it: slower, and the same answers.
  }
  return local;
}

/** Workers made of this page's own script, which answer {body, places} with the root. */
class Pool {
  constructor(script, size) {
    const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    this.waiting = [];
    this.workers = Array.from({ length: size }, () => {
      const worker = new Worker(address);
      worker.tasks = [];
      worker.onmessage = ({ data }) => worker.tasks.shift().done(data);
      worker.onerror = (event) => {
        event.preventDefault();
        worker.broken = new Error(`a worker failed: ${event.message ?? "it could not start"}`);
        for (const task of worker.tasks.splice(0)) task.failed(worker.broken);
      };
      return worker;
    });
    URL.revokeObjectURL(address);
  }

  root(body, places) {
    const worker = this.workers.reduce((left, right) => (right.tasks.length < left.tasks.length ? right : left));
    if (worker.broken) return Promise.reject(worker.broken);
    return new Promise((done, failed) => {
      worker.tasks.push({ done, failed });
      worker.postMessage({ body, places });
    });
  }

  close() {
    for (const worker of this.workers) worker.terminate();
  }
}

/** What the page hashes with: {root(body, places), close()}; `script` is the text a worker runs. */
export function hasher(script) {
  const size = Math.min(MOST_WORKERS, Math.max(1, globalThis.navigator?.hardwareConcurrency ?? 1));
  return script && typeof Worker === "function" ? new Pool(script, size) : localHasher();
}

/** In a worker: answer. */
export function serve(scope) {
  const own = localHasher();
  scope.onmessage = ({ data }) => scope.postMessage(own.root(data.body, data.places));
}
