// SHA-256 of four messages at once: the WebAssembly for it, put together here, since four 32-bit lanes fit one register.
import { INITIAL_STATE, ROUND_CONSTANTS } from "./sha256.js";

/** Where things lie in its memory: digests, block counts, and four lanes of padded messages. */
export const OUT = 0;
export const COUNTS = 128;
export const LANES = 1024;
export const STRIDE = 66048;
const MEMORY_PAGES = Math.ceil((LANES + 4 * STRIDE) / 65536);
const [V128, I32] = [0x7b, 0x7f];
const SWAP = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12];
// Locals: two parameters (at, most), a counter, then vectors: state, working variables, message schedule, and three more.
const [AT, MOST, ROUND, STATE, WORK, WORDS, T1, T2, MASK] = [0, 1, 2, 3, 11, 19, 35, 36, 37];
const VECTORS = MASK + 1 - STATE;

function leb(value) {
  const octets = [];
  do {
    octets.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>>= 7;
  } while (value);
  return octets;
}

function signedLeb(value) {
  const octets = [];
  for (;;) {
    const octet = value & 0x7f;
    value >>= 7;
    const done = (value === 0 && !(octet & 0x40)) || (value === -1 && octet & 0x40);
    octets.push(done ? octet : octet | 0x80);
    if (done) return octets;
  }
}

const get = (local) => [0x20, ...leb(local)];
const set = (local) => [0x21, ...leb(local)];
const tee = (local) => [0x22, ...leb(local)];
const number = (value) => [0x41, ...signedLeb(value)];
const simd = (code, ...rest) => [0xfd, ...leb(code), ...rest];
const AND = simd(0x4e);
const OR = simd(0x50);
const XOR = simd(0x51);
const SELECT = simd(0x52);
const GREATER = simd(0x3b);
const SPLAT = simd(0x11);
const SHIFT_LEFT = simd(0xab);
const SHIFT_RIGHT = simd(0xad);
const ADD = simd(0xae);
const swap = simd(0x0d, ...SWAP);

function constant(word) {
  const lane = [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24];
  return simd(0x0c, ...lane, ...lane, ...lane, ...lane);
}

const turned = (local, by) => [...get(local), ...number(by), ...SHIFT_RIGHT, ...get(local), ...number(32 - by), ...SHIFT_LEFT, ...OR];
const shifted = (local, by) => [...get(local), ...number(by), ...SHIFT_RIGHT];

/** Word `i` of the next block in all four lanes. */
function load(i) {
  const code = [...constant(0)];
  for (let lane = 0; lane < 4; lane++) {
    // The address comes first, the vector second: the vector made so far waits in T1.
    code.push(...set(T1), ...get(AT), ...get(T1), ...simd(0x56, 2, ...leb(LANES + lane * STRIDE + 4 * i), lane));
  }
  return [...code, ...tee(T1), ...get(T1), ...swap, ...set(WORDS + i)];
}

function schedule(i) {
  const word = (back) => WORDS + ((i - back) & 15);
  const s0 = [...turned(word(15), 7), ...turned(word(15), 18), ...XOR, ...shifted(word(15), 3), ...XOR];
  const s1 = [...turned(word(2), 17), ...turned(word(2), 19), ...XOR, ...shifted(word(2), 10), ...XOR];
  return [...get(word(16)), ...s0, ...ADD, ...get(word(7)), ...ADD, ...s1, ...ADD, ...set(word(16))];
}

function round(i) {
  // The variables move by one place each round: here their names do.
  const [a, b, c, d, e, f, g, h] = Array.from({ length: 8 }, (_, place) => WORK + ((place - i) & 7));
  const s1 = [...turned(e, 6), ...turned(e, 11), ...XOR, ...turned(e, 25), ...XOR];
  const s0 = [...turned(a, 2), ...turned(a, 13), ...XOR, ...turned(a, 22), ...XOR];
  const choice = [...get(f), ...get(g), ...get(e), ...SELECT];
  const majority = [...get(c), ...get(a), ...get(a), ...get(b), ...XOR, ...SELECT];
  const sum = [...get(h), ...s1, ...ADD, ...choice, ...ADD, ...constant(ROUND_CONSTANTS[i]), ...ADD, ...get(WORDS + (i & 15)), ...ADD];
  return [
    ...(i < 16 ? [] : schedule(i)),
    ...sum, ...tee(T1), ...get(d), ...ADD, ...set(d),
    ...get(T1), ...s0, ...ADD, ...majority, ...ADD, ...set(h),
  ];
}

function body() {
  const places = Array.from({ length: 8 }, (_, i) => i);
  const code = [2, 1, I32, ...leb(VECTORS), V128];
  for (const i of places) code.push(...constant(INITIAL_STATE[i]), ...set(STATE + i));
  code.push(0x03, 0x40);
  for (const i of places) code.push(...get(STATE + i), ...set(WORK + i));
  for (let i = 0; i < 16; i++) code.push(...load(i));
  for (let i = 0; i < 64; i++) code.push(...round(i));
  // A lane whose message is over keeps its state while the others go on.
  code.push(...number(COUNTS), ...simd(0x00, 4, 0), ...get(ROUND), ...SPLAT, ...GREATER, ...set(MASK));
  for (const i of places) code.push(...get(STATE + i), ...get(WORK + i), ...get(MASK), ...AND, ...ADD, ...set(STATE + i));
  code.push(...get(AT), ...number(64), 0x6a, ...set(AT));
  code.push(...get(ROUND), ...number(1), 0x6a, ...tee(ROUND), ...get(MOST), 0x48, 0x0d, 0, 0x0b);
  for (const i of places) {
    code.push(...get(STATE + i), ...get(STATE + i), ...swap, ...set(T2));
    for (let lane = 0; lane < 4; lane++) code.push(...number(0), ...get(T2), ...simd(0x5a, 2, ...leb(OUT + 32 * lane + 4 * i), lane));
  }
  return [...code, 0x0b];
}

const section = (id, content) => [id, ...leb(content.length), ...content];
const name = (text) => [text.length, ...Array.from(text, (letter) => letter.charCodeAt(0))];

/** The octets of the module: it exports `memory` and `hash(0, blocks of the longest message)`. */
export function assembled() {
  const code = body();
  return new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [1, 0x60, 2, I32, I32, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, MEMORY_PAGES]),
    ...section(7, [2, ...name("memory"), 2, 0, ...name("hash"), 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ]);
}
