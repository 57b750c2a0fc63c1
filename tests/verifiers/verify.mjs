// The browser's verifier in Node: `node verify.mjs LOG --key F --anchor F --json`, or `--serve` for one request a line.
import "./webcrypto.mjs";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { looksLikeBundle } from "../../verifiers/browser/bundle.js";
import { verifyBundle, verifyLog } from "../../verifiers/browser/verify.js";

/** As much of a Blob as the verifier asks of one, over a file. */
class OnDisk {
  constructor(name, from = 0, to = fs.statSync(name).size) {
    Object.assign(this, { name, from, to });
  }

  get size() {
    return this.to - this.from;
  }

  slice(from, to) {
    return new OnDisk(this.name, this.from + Math.min(from, this.size), this.from + Math.min(to, this.size));
  }

  async arrayBuffer() {
    const octets = new Uint8Array(this.size);
    const file = fs.openSync(this.name, "r");
    const got = octets.length ? fs.readSync(file, octets, 0, octets.length, this.from) : 0;
    fs.closeSync(file);
    return octets.buffer.slice(0, got);
  }
}

const octets = (name) => new Uint8Array(fs.readFileSync(name));
const there = (name) => (fs.existsSync(name) ? name : null);
const seconds = (text) => parseFloat(text) * ({ s: 1, m: 60, h: 3600, d: 86400 }[text.at(-1)] ?? 1);

const SWITCHES = {
  "--json": "json", "--flat": "flat", "--deep": "deep", "--no-memory": "noMemory",
};
const VALUES = {
  "--key": "key", "--policy": "policy", "--min-level": "minLevel", "--max-age": "maxAge", "--tail": "tail",
  "--expect-origin": "expectOrigin", "--now": "now",
};
const LISTS = { "--anchor": "anchors", "--archive": "archives", "--checkpoint": "checkpoints", "--note-key": "noteKeys" };

function parsed(argv) {
  const asked = { anchors: [], archives: [], checkpoints: [], noteKeys: [], rest: [] };
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i];
    if (word in SWITCHES) asked[SWITCHES[word]] = true;
    else if (word in VALUES) asked[VALUES[word]] = argv[++i];
    else if (word in LISTS) asked[LISTS[word]].push(argv[++i]);
    else asked.rest.push(word);
  }
  return asked;
}

/** Files of a state folder, and those named by options. */
function gathered(asked) {
  const [name] = asked.rest;
  const state = fs.statSync(name).isDirectory() ? name : null;
  const log = state ? path.join(state, "audit.db") : name;
  const own = (file) => (state ? there(path.join(state, file)) : null);
  const key = asked.key ?? own("keys/first.pub") ?? own("keys/seal.pub");
  const witnessed = own("witnessed");
  const checkpoints = [...asked.checkpoints, own("checkpoint")].filter(Boolean);
  if (witnessed) checkpoints.push(...fs.readdirSync(witnessed).filter((file) => file.endsWith(".note")).map((file) => path.join(witnessed, file)));
  const anchors = [...asked.anchors, ...(asked.anchors.length ? [] : [own("anchor")].filter(Boolean))];
  const noteKeys = [...asked.noteKeys, own("keys/note.pub")].filter(Boolean);
  return {
    log: new OnDisk(log),
    wal: there(`${log}-wal`) && new OnDisk(`${log}-wal`),
    key: key && fs.readFileSync(key, "utf8"),
    anchors: anchors.map(octets),
    checkpoints: checkpoints.map(octets),
    noteKeys: noteKeys.map((file) => fs.readFileSync(file, "utf8")),
    archives: asked.archives.map((file) => new OnDisk(file)),
    policy: asked.policy ? octets(asked.policy) : null,
  };
}

async function run(argv) {
  const asked = parsed(argv);
  const options = { ...asked };
  for (const name of ["maxAge", "tail"]) if (asked[name] !== undefined) options[name] = seconds(asked[name]);
  options.now = asked.now === undefined ? undefined : Number(asked.now);
  const input = gathered(asked);
  const start = new Uint8Array(await input.log.slice(0, 100).arrayBuffer());
  if (!looksLikeBundle(start)) {
    const { shelf, ...report } = await verifyLog(input, options);
    return report;
  }
  const report = await verifyBundle({ ...input, bundle: octets(asked.rest[0]) }, options);
  return { ...report, shown: report.shown.map(({ octets: shown, ...place }) => ({ ...place, text: Buffer.from(shown).toString() })) };
}

if (process.argv[2] === "--serve") {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const report = await run(JSON.parse(line)).catch((error) => ({ exit: 3, verdict: "crashed", error: String(error.stack) }));
    process.stdout.write(`${JSON.stringify(report)}\n`);
  }
} else {
  const report = await run(process.argv.slice(2));
  if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(report, null, 1)}\n`);
  else process.stdout.write(`${report.verdict} ${report.level ?? ""} ${report.blocks} blocks\n${report.reasons.join("\n")}\n`);
  process.exitCode = report.exit;
}
