// A file read by slices: a few windows are kept, so that ten gigabytes cost no more memory than forty megabytes.

const WINDOW = 8 * 1024 * 1024;
const AHEAD = 2;
const KEPT = 5;

/** A window on something with `size` and `slice(from, to).arrayBuffer()`: a File, a Blob. */
export class Source {
  constructor(blob) {
    this.blob = blob;
    this.size = blob.size;
    this.windows = new Map();
  }

  /** The octets from `at`, at once where the window is there, else as a promise; `length` must not cross a window. */
  octets(at, length) {
    const number = Math.floor(at / WINDOW);
    const from = at - number * WINDOW;
    const held = this.windows.get(number);
    if (held instanceof Uint8Array) {
      if (number !== this.newest) this.#ahead(number);
      return held.subarray(from, from + length);
    }
    return this.#load(number).then((window) => window.subarray(from, from + length));
  }

  /** Octets across windows. */
  async read(at, length) {
    return new Uint8Array(await this.blob.slice(at, at + length).arrayBuffer());
  }

  async #load(number) {
    const window = await this.#bring(number);
    this.#ahead(number);
    return window;
  }

  /** The next windows are on their way while this one is read. */
  #ahead(number) {
    this.newest = number;
    for (let next = number + 1; next <= number + AHEAD && next * WINDOW < this.size; next++) this.#bring(next).catch(() => {});
  }

  #bring(number) {
    const held = this.windows.get(number);
    if (held) return Promise.resolve(held);
    while (this.windows.size >= KEPT) this.windows.delete(this.windows.keys().next().value);
    const coming = this.read(number * WINDOW, WINDOW).then((octets) => {
      if (this.windows.has(number)) this.windows.set(number, octets);
      return octets;
    });
    this.windows.set(number, coming);
    return coming;
  }
}
