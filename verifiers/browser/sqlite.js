// Enough of the SQLite 3 file format (sqlite.org/fileformat2.html) to read the rows of one plain table, trusting nothing.
import { Unproven, textOf } from "./bytes.js";
import { Source } from "./source.js";
import { Wal } from "./wal.js";

const COLUMNS = ["height", "first", "n", "hdr", "sig", "rsig", "body"];
const DEEPEST = 24;
const MOST_TABLES = 1000;
const LEAF = 0x0d;
const INTERIOR = 0x05;
/** A row holds at most 8 MiB of entries, 64 KiB of header and two signatures: what is larger is no row of a log. */
const MOST_PAYLOAD = 10 * 1024 * 1024;

/** A value that is neither an integer in range nor a blob: its type in words. */
export class Odd {
  constructor(type) {
    this.type = type;
  }
}

function broken(what) {
  return new Unproven(`the SQLite file is damaged: ${what}`);
}

/** [value, octets used] of a varint; values beyond 2^53 are refused, since no honest log has them. */
function varint(octets, at) {
  let value = 0;
  for (let i = 0; i < 9; i++) {
    const octet = octets[at + i];
    if (octet === undefined) throw broken("a number is cut");
    if (i === 8) return [value * 256 + octet, 9];
    value = value * 128 + (octet & 0x7f);
    if (octet < 0x80) return [value, i + 1];
  }
  throw broken("a number does not end");
}

function u32(octets, at) {
  return ((octets[at] << 24) | (octets[at + 1] << 16) | (octets[at + 2] << 8) | octets[at + 3]) >>> 0;
}

function u16(octets, at) {
  return (octets[at] << 8) | octets[at + 1];
}

const INT_SIZE = [0, 1, 2, 3, 4, 6, 8];

function serialSize(type) {
  if (type <= 6) return INT_SIZE[type];
  if (type === 7) return 8;
  if (type <= 9) return 0;
  if (type <= 11) throw broken("a column of a reserved type");
  return Math.floor((type - 12) / 2);
}

function integer(octets) {
  let value = BigInt.asIntN(8, BigInt(octets[0]));
  for (let i = 1; i < octets.length; i++) value = value * 256n + BigInt(octets[i]);
  return value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : new Odd("an integer out of range");
}

function decode(type, octets) {
  if (type === 0) return new Odd("NULL");
  if (type <= 6) return integer(octets);
  if (type === 7) return new Odd("a floating-point number");
  if (type <= 9) return type - 8;
  return type % 2 === 0 ? octets : new Odd("text");
}

/** The names of the columns in `CREATE TABLE ... (...)`, or null where that is not a plain table. */
export function columnsOf(sql) {
  const plain = sql.replace(/--[^\n]*/g, " ").replace(/\/\*[^]*?(?:\*\/|$)/g, " ");
  const found = /^\s*CREATE\s+TABLE\s+["'`[]?blocks["'`\]]?\s*\(([^]*)\)\s*(?:STRICT)?\s*$/i.exec(plain);
  if (!found) return null;
  const names = [];
  for (const column of found[1].split(",")) {
    const words = column.trim().split(/\s+/);
    const name = words[0].replace(/["'`[\]]/g, "").toLowerCase();
    if (name === "constraint" || name === "primary") continue;
    names.push(name);
  }
  const key = /\bheight["'`\]]?\s+INTEGER\b[^,]*PRIMARY\s+KEY/i.test(found[1]) || /PRIMARY\s+KEY\s*\(\s*["'`[]?height["'`\]]?\s*\)/i.test(found[1]);
  return key ? names : null;
}

/** The table `blocks` of an SQLite file, its write-ahead log applied. */
export class Database {
  /** Open a File or Blob and, where there is one, its WAL; throws Unproven where that is not a sealed log. */
  static async open(blob, walBlob = null) {
    const database = new Database();
    database.furthest = 0;
    database.file = new Source(blob);
    // SQLite, too, takes a file of no octets for a database without tables: a log that was emptied.
    if (blob.size === 0) return database;
    const head = await database.file.read(0, 100);
    if (head.length < 100 || textHead(head) !== "SQLite format 3\0") throw new Unproven("not an SQLite file");
    database.pageSize = u16(head, 16) === 1 ? 65536 : u16(head, 16);
    const size = database.pageSize;
    if (size < 512 || (size & (size - 1)) !== 0) throw broken(`pages of ${size} octets`);
    database.wal = walBlob && walBlob.size > 0 ? await Wal.open(walBlob, size) : null;
    // With a WAL the first page itself may be newer there.
    database.pages = database.wal?.pages || Math.floor(blob.size / size);
    const first = await database.page(1);
    database.usable = size - first[20];
    if (database.usable < 480) throw broken("no room in its pages");
    database.walMode = first[18] === 2 || first[19] === 2;
    if (u32(first, 56) > 1) throw new Unproven("its text is not UTF-8");
    await database.#findTable();
    return database;
  }

  /** One page, at once or as a promise. */
  page(number) {
    if (number < 1 || number > this.pages) throw broken(`page ${number} of ${this.pages}`);
    this.furthest += 1;
    const framed = this.wal?.find(number);
    if (framed !== undefined) return this.wal.octets(framed);
    if (number * this.pageSize > this.file.size) throw broken(`page ${number} lies beyond the end of the file`);
    return this.file.octets((number - 1) * this.pageSize, this.pageSize);
  }

  async #findTable() {
    let seen = 0;
    let found = null;
    for await (const cell of this.cells(1, -Infinity)) {
      if (++seen > MOST_TABLES) throw broken("too many tables");
      const row = await this.#record(cell, true);
      if (!row || row.length < 5 || String(row[1]).toLowerCase() !== "blocks") continue;
      if (row[0] !== "table" || typeof row[3] !== "number" || row[3] < 1) throw new Unproven("`blocks` is not a plain table");
      found = row;
    }
    if (!found) throw new Unproven("no table `blocks`: not a sealed log");
    const names = columnsOf(String(found[4]));
    if (!names || names.join() !== COLUMNS.join()) throw new Unproven("the table `blocks` is not the one of a sealed log");
    this.root = found[3];
  }

  /** Cells of a table b-tree in its order, from rowid `from` on: {key, page, at, size}. */
  async *cells(root, from) {
    let visits = 0;
    let before = -Infinity;
    const stack = [{ number: root, next: 0 }];
    while (stack.length) {
      const top = stack[stack.length - 1];
      if (!top.page) {
        // Each page belongs to one place: more visits than pages is a loop.
        if (++visits > this.pages || stack.length > DEEPEST) throw broken("its pages go round in circles");
        const page = this.page(top.number);
        top.page = page instanceof Uint8Array ? page : await page;
        top.base = top.number === 1 ? 100 : 0;
        top.kind = top.page[top.base];
        if (top.kind !== LEAF && top.kind !== INTERIOR) throw broken(`page ${top.number} is not of a table`);
        top.count = u16(top.page, top.base + 3);
        top.pointers = top.base + (top.kind === LEAF ? 8 : 12);
        if (top.pointers + 2 * top.count > this.usable) throw broken(`page ${top.number} claims ${top.count} cells`);
      }
      if (top.kind === LEAF) {
        for (let i = 0; i < top.count; i++) {
          const cell = this.#leafCell(top, i);
          if (cell.key <= before) throw broken("rows out of order");
          before = cell.key;
          if (cell.key >= from) yield cell;
        }
        stack.pop();
      } else if (top.next > top.count) {
        stack.pop();
      } else {
        const child = this.#child(top, top.next++, from);
        if (child) stack.push({ number: child, next: 0 });
      }
    }
  }

  #pointer(top, index) {
    const at = u16(top.page, top.pointers + 2 * index);
    if (at < top.pointers + 2 * top.count || at + 4 > this.usable) throw broken(`a cell outside page ${top.number}`);
    return at;
  }

  #child(top, index, from) {
    if (index === top.count) return u32(top.page, top.base + 8);
    const at = this.#pointer(top, index);
    const [key] = varint(top.page, at + 4);
    return key < from ? null : u32(top.page, at);
  }

  #leafCell(top, index) {
    const at = this.#pointer(top, index);
    const [size, first] = varint(top.page, at);
    const [raw, second] = varint(top.page, at + first);
    // A rowid is signed; a negative one takes nine octets and comes out as a huge number.
    const key = second === 9 && raw >= 2 ** 63 ? raw - 2 ** 64 : raw;
    return { key, page: top.page, at: at + first + second, size };
  }

  /** The whole payload of a cell, or null where it is too large to be honest; with `reuse` in memory that the next one takes. */
  async #payload(cell, reuse) {
    const { size } = cell;
    if (size > MOST_PAYLOAD) return null;
    const most = this.usable - 35;
    if (size <= most) {
      if (cell.at + size > this.usable) throw broken("a row is cut");
      return cell.page.subarray(cell.at, cell.at + size);
    }
    const least = Math.floor(((this.usable - 12) * 32) / 255) - 23;
    const wished = least + ((size - least) % (this.usable - 4));
    const local = wished <= most ? wished : least;
    if (cell.at + local + 4 > this.usable) throw broken("a row is cut");
    const whole = reuse ? this.#borrowed(size) : new Uint8Array(size);
    whole.set(cell.page.subarray(cell.at, cell.at + local));
    let next = u32(cell.page, cell.at + local);
    for (let at = local; at < size; ) {
      let page = this.page(next);
      if (!(page instanceof Uint8Array)) page = await page;
      const part = Math.min(this.usable - 4, size - at);
      whole.set(page.subarray(4, 4 + part), at);
      at += part;
      next = u32(page, 0);
    }
    return whole;
  }

  #borrowed(size) {
    // Fresh memory for each block costs more than reading it.
    if (!(this.scratch?.length >= size)) this.scratch = new Uint8Array(Math.max(size, 2 * 1024 * 1024));
    return this.scratch.subarray(0, size);
  }

  /** The columns of a cell; null where it is too large. With `texts`, text is read as such. */
  async #record(cell, texts = false, reuse = false) {
    const payload = await this.#payload(cell, reuse);
    if (!payload) return null;
    const [headSize, used] = varint(payload, 0);
    if (headSize > payload.length || headSize > 2000) throw broken("a row's header is too long");
    const values = [];
    let at = headSize;
    for (let place = used; place < headSize; ) {
      const [type, width] = varint(payload, place);
      place += width;
      const size = serialSize(type);
      if (at + size > payload.length || place > headSize) throw broken("a column is cut");
      const octets = payload.subarray(at, at + size);
      at += size;
      values.push(texts && type >= 13 && type % 2 === 1 ? forgivingText(octets) : decode(type, octets));
    }
    return values;
  }

  /**
   * Rows in the order of their height, from `from` on; `tooLarge` where one cannot be read into memory.
   * With `reuse` the body lies where the next row's will: whoever needs it longer copies it.
   */
  async *rows(from = -Infinity, reuse = false) {
    if (!this.root) return;
    for await (const cell of this.cells(this.root, from)) {
      const values = await this.#record(cell, false, reuse);
      if (!values) {
        yield { height: cell.key, tooLarge: cell.size };
        continue;
      }
      while (values.length < COLUMNS.length) values.push(new Odd("NULL"));
      const kept = reuse ? values.map((value, i) => (i < 6 && value instanceof Uint8Array ? value.slice() : value)) : values;
      const [, first, n, hdr, sig, rsig, body] = kept;
      yield { height: cell.key, first, n, hdr, sig, rsig, body };
    }
  }

  /** The row of one height, or null. */
  async row(height) {
    for await (const row of this.rows(height)) return row.height === height ? row : null;
    return null;
  }
}

function textHead(octets) {
  return String.fromCharCode(...octets.subarray(0, 16));
}

function forgivingText(octets) {
  try {
    return textOf(octets);
  } catch {
    return "";
  }
}
