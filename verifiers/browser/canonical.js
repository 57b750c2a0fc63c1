// Canonical JSON, the strict profile: what is not written in the one permitted way is not read at all.
import { Wrong, textOf } from "./bytes.js";

const MOST_OCTETS = 65535;
const DEEPEST = 16;
const KEY = /"([a-z][a-z0-9_]*)":/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)/y;
// Everything but controls, quote and backslash stands for itself; a lone surrogate cannot come out of UTF-8.
const STRING = /"((?:[^\u0000-\u001f"\\]|\\(?:["\\btnfr]|u00[01][0-9a-f]))*)"/y;
const SHORT = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", '"': '"', "\\": "\\" };
const HAS_SHORT = new Set(["\b", "\t", "\n", "\f", "\r"]);

/** The object that `octets` spell; throws Wrong where they are not canonical. */
export function parse(octets) {
  if (octets.length > MOST_OCTETS) throw new Wrong(`${octets.length} octets of JSON, more than ${MOST_OCTETS}`);
  let text;
  try {
    text = textOf(octets);
  } catch {
    throw new Wrong("not UTF-8");
  }
  const reader = new Reader(text);
  if (text[0] !== "{") throw new Wrong("not a JSON object");
  const value = reader.value(1);
  if (reader.at !== text.length) throw new Wrong(`something follows the object, at character ${reader.at}`);
  return value;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail(what) {
    throw new Wrong(`not canonical JSON at character ${this.at}: ${what}`);
  }

  match(pattern, what) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) this.fail(what);
    this.at = pattern.lastIndex;
    return found;
  }

  word(word, value) {
    if (!this.text.startsWith(word, this.at)) this.fail("no value");
    this.at += word.length;
    return value;
  }

  value(depth) {
    switch (this.text[this.at]) {
      case "{":
        return this.object(depth);
      case "[":
        return this.array(depth);
      case '"':
        return this.string();
      case "t":
        return this.word("true", true);
      case "f":
        return this.word("false", false);
      case "n":
        return this.word("null", null);
      default:
        return this.number();
    }
  }

  open(depth) {
    if (depth > DEEPEST) this.fail(`nested deeper than ${DEEPEST} levels`);
    this.at += 1;
  }

  more(end) {
    const letter = this.text[this.at];
    if (letter !== "," && letter !== end) this.fail(`neither , nor ${end}`);
    this.at += 1;
    return letter === ",";
  }

  object(depth) {
    this.open(depth);
    const made = Object.create(null);
    if (this.text[this.at] === "}") {
      this.at += 1;
      return made;
    }
    let before = "";
    do {
      const [, key] = this.match(KEY, "no key");
      if (key <= before) this.fail("keys are not sorted, or one is there twice");
      before = key;
      made[key] = this.value(depth + 1);
    } while (this.more("}"));
    return made;
  }

  array(depth) {
    this.open(depth);
    const made = [];
    if (this.text[this.at] === "]") {
      this.at += 1;
      return made;
    }
    do made.push(this.value(depth + 1));
    while (this.more("]"));
    return made;
  }

  number() {
    const [written] = this.match(NUMBER, "no value");
    const value = Number(written);
    if (written === "-0" || !Number.isSafeInteger(value)) this.fail(`${written.slice(0, 40)} is not an integer in range`);
    return value;
  }

  string() {
    const [, raw] = this.match(STRING, "no proper string");
    if (!raw.includes("\\")) return raw;
    return raw.replace(/\\(?:u00(..)|(.))/g, (_, code, letter) => {
      if (letter !== undefined) return SHORT[letter];
      const control = String.fromCharCode(parseInt(code, 16));
      if (HAS_SHORT.has(control)) this.fail("a control has a shorter escape");
      return control;
    });
  }
}
