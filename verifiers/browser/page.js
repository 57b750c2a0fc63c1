// The page: takes files, shows the verdict first, then the entries. All text from outside becomes text nodes, never markup.
import { Unproven, hex, textOf } from "./bytes.js";
import { looksLikeBundle } from "./bundle.js";
import { PAGE, described, moment, passes, plain, shownOctets } from "./explore.js";
import { KIND_NAMES, parseAnchor } from "./format.js";
import { subtle } from "./keys.js";
import { hasher, serve } from "./lanes.js";
import { leafHash } from "./merkle.js";
import { verifyBundle, verifyLog } from "./verify.js";

const SMALL = 1024 * 1024;
const MEMORY = "sealed-log/heads";
const ROLES = {
  log: "log",
  wal: "log's WAL",
  bundle: "bundle",
  key: "public key",
  anchor: "anchor or checkpoint, kept elsewhere",
  checkpoint: "checkpoint that came with the log",
  policy: "witness policy",
  noteKey: "checkpoint key",
  archive: "archive of pruned blocks",
  ignored: "leave aside",
};
const MEANING = {
  proven: "Every block is what was sealed, in its place, and the log is at least as long as your anchors say.",
  tampered: "This cannot be an honest log: something below contradicts what was sealed or what was seen outside.",
  "not proven": "Nothing was proven. This is not a sign of tampering by itself, but it is no proof either.",
};
const LEVEL_NAMES = { L0: "L0 chain holds", L1: "L1 signed", L2: "L2 forward-secure", L3: "L3 witnessed" };
const given = [];
const script = typeof document === "undefined" ? null : document.currentScript.textContent;
let browsing = null;

const byId = (id) => document.getElementById(id);

function made(tag, text = "", children = []) {
  const element = document.createElement(tag);
  if (text !== "") element.textContent = plain(String(text));
  element.append(...children);
  return element;
}

// ------------------------------------------------------------------------------------------------------ files

/** What a file is, told by its first octets; the auditor may know better. */
async function roleOf(file) {
  const start = new Uint8Array(await file.slice(0, 4096).arrayBuffer());
  if (looksLikeBundle(start)) return "bundle";
  if (start[0] === 0x37 && start[1] === 0x7f && start[2] === 0x06) return "wal";
  let text = "";
  try {
    text = textOf(start);
  } catch {
    text = String.fromCharCode(...start.subarray(0, 16));
  }
  if (text.startsWith("SQLite format 3\0")) return /archive|\.sealed$/i.test(file.name) || given.some((one) => one.role === "log") ? "archive" : "log";
  if (file.size === 0 && /\.db$/.test(file.name)) return "log";
  if (text.startsWith("-----BEGIN")) return "key";
  if (text.startsWith("{")) return "anchor";
  if (text.includes("\n\n\u2014 ")) return "checkpoint";
  if (/^\s*(#|log |witness |group |quorum )/m.test(text)) return "policy";
  if (/^[^\s+]+\+[0-9a-f]{8}\+/.test(text)) return "noteKey";
  return "ignored";
}

async function take(files) {
  for (const file of files) {
    const twin = given.findIndex((one) => one.file.name === file.name && one.file.size === file.size);
    if (twin >= 0) given.splice(twin, 1);
    const role = await roleOf(file).catch(() => "ignored");
    given.push({ file, role });
  }
  showGiven();
  if (of("log").length + of("bundle").length > 0 && of("key").length > 0) await verify();
}

function of(role) {
  return given.filter((one) => one.role === role).map((one) => one.file);
}

function showGiven() {
  const rows = given.map((one) => {
    const choice = made("select");
    choice.setAttribute("aria-label", `What ${one.file.name} is`);
    for (const [role, words] of Object.entries(ROLES)) {
      const option = made("option", words);
      option.value = role;
      option.selected = role === one.role;
      choice.append(option);
    }
    choice.addEventListener("change", () => {
      one.role = choice.value;
      showGiven();
    });
    const away = made("button", "remove");
    away.type = "button";
    away.addEventListener("click", () => {
      given.splice(given.indexOf(one), 1);
      showGiven();
    });
    return made("tr", "", [made("td", one.file.name), made("td", `${one.file.size.toLocaleString("en")} octets`), made("td", "", [choice]), made("td", "", [away])]);
  });
  byId("given").tBodies[0].replaceChildren(...rows);
  byId("given").hidden = !rows.length;
  byId("verify").disabled = !(of("log").length || of("bundle").length);
}

async function small(file) {
  if (file.size > 16 * SMALL) throw new Unproven(`${file.name} is too large to be what it is said to be`);
  return new Uint8Array(await file.arrayBuffer());
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(MEMORY) ?? "[]").map((line) => parseAnchor(new TextEncoder().encode(line)));
  } catch {
    return [];
  }
}

async function gathered() {
  const texts = async (role) => Promise.all(of(role).map(async (file) => textOf(await small(file))));
  const octets = async (role) => Promise.all(of(role).map(small));
  const [log] = of("log");
  const [bundle] = of("bundle");
  const [key = null] = await texts("key");
  const [policy = null] = await octets("policy");
  return {
    log,
    wal: of("wal")[0] ?? null,
    bundle: bundle && !log ? new Uint8Array(await bundle.arrayBuffer()) : null,
    key,
    policy,
    anchors: await octets("anchor"),
    checkpoints: await octets("checkpoint"),
    noteKeys: await texts("noteKey"),
    archives: of("archive"),
    heads: log ? remembered() : [],
  };
}

// ---------------------------------------------------------------------------------------------------- verdict

async function verify() {
  const form = byId("options").elements;
  const hours = parseFloat(form.maxAge.value);
  const options = {
    minLevel: form.minLevel.value,
    maxAge: Number.isFinite(hours) ? hours * 3600 : undefined,
    expectOrigin: form.expectOrigin.value || undefined,
    flat: !form.merkle.checked,
    deep: form.deep.checked,
  };
  byId("verify").disabled = true;
  byId("progress").hidden = false;
  byId("progress").removeAttribute("value");
  const pool = options.flat ? null : hasher(script);
  const began = performance.now();
  let shown = began;
  let report;
  try {
    const input = await gathered();
    if (pool) options.merkle = (body, places) => pool.root(body, places);
    const progress = (walk, database) => {
      if (performance.now() - shown < 250) return;
      shown = performance.now();
      byId("progress").max = database.pages;
      byId("progress").value = Math.min(database.pages, database.furthest);
    };
    report = input.bundle ? await verifyBundle(input, options) : await verifyLog(input, options, progress);
  } catch (error) {
    // Whatever goes wrong here must not look like a proof: a file that changed or vanished, or a fault of this page.
    report = { verdict: "not proven", exit: 2, level: null, reasons: [`the check itself failed: ${error.message}`], findings: [], counted: {}, notes: [], blocks: 0, entries: 0 };
  } finally {
    pool?.close();
    byId("progress").hidden = true;
    byId("verify").disabled = false;
  }
  report.seconds = (performance.now() - began) / 1000;
  showReport(report, options);
}

function age(seconds) {
  if (seconds < 0) return "from the future, by this machine's clock";
  const [size, unit] = [[86400, "days"], [3600, "hours"], [60, "minutes"], [1, "seconds"]].find(([one]) => seconds >= 2 * one) ?? [1, "seconds"];
  return `${Math.floor(seconds / size)} ${unit} old`;
}

function facts(report) {
  const list = [["Log", report.origin ?? "unknown"]];
  if (report.head) {
    const blocks = report.shown ? `${report.blocks} blocks` : `blocks 0 to ${report.head.height}`;
    list.push(["Range", `${blocks}, ${report.entries.toLocaleString("en")} entries`]);
    list.push(["Head", `sealed ${moment(report.head.sealed)} UTC by its own clock, ${age(report.head.age)}`]);
    list.push(["Head hash", report.head.hash]);
    if (!report.shown) list.push(["Seen outside", report.anchored < 0 ? "nothing of it" : `up to block ${report.anchored}`]);
    if (report.witnessed) list.push(["Witnessed", `${report.witnessed.size ? `blocks below ${report.witnessed.size}, ` : ""}last ${moment(report.witnessed.since * 1e6)} UTC`]);
    if (report.lastBreak > 0) list.push(["Ratchet broke", `at block ${report.breaks.slice(0, 20).join(", ")}${report.breaks.length > 20 ? " ..." : ""}`]);
    if (report.open !== null && report.open !== undefined) list.push(["Open intents", report.open]);
  }
  list.push(["Checked in", `${report.seconds.toFixed(2)} s`]);
  return list;
}

function limits(report, options) {
  const list = [
    "That what was written is true: who owned the machine before an action wrote what he liked.",
    "That your key and anchors are the right ones: this page cannot know where they came from. Keep them away from the machine that writes the log.",
    "That nothing after the newest anchor was cut off or rewritten by somebody with the key.",
    "L4, dated: time-stamp tokens are not checked by this page.",
  ];
  if (report.shown) list.unshift("Anything about entries that are not in this bundle.");
  if (options.flat) list.push("The entries' Merkle roots: they were not asked for.");
  if (!options.deep) list.push("That entries are well-formed and every outcome has its intent: “read every entry” was not asked for.");
  return [...list, ...report.notes];
}

function showReport(report, options) {
  const section = byId("report");
  section.className = report.verdict === "not proven" ? "unproven" : report.verdict;
  section.dataset.verdict = report.verdict;
  section.dataset.level = report.level ?? "none";
  section.dataset.seconds = report.seconds;
  const mark = { proven: "\u2713 ", tampered: "\u2717 ", "not proven": "? " }[report.verdict];
  byId("verdict").replaceChildren(mark + report.verdict.toUpperCase(), ...(report.level ? [made("span", LEVEL_NAMES[report.level])] : []));
  byId("meaning").textContent = MEANING[report.verdict];
  byId("reasons").replaceChildren(...report.reasons.map((reason) => made("li", reason)));
  byId("facts").replaceChildren(...facts(report).flatMap(([name, value]) => [made("dt", name), made("dd", value)]));
  const rows = report.findings.map(({ height, text }) => made("tr", "", [made("td", height ?? "—"), made("td", text)]));
  const total = (report.counted.tampered ?? 0) + (report.counted.unproven ?? 0);
  if (total > rows.length) rows.push(made("tr", "", [made("td"), made("td", `and ${total - rows.length} more`)]));
  byId("wrong").hidden = !rows.length;
  byId("wrong").querySelector("tbody").replaceChildren(...rows);
  byId("limits").querySelector("ul").replaceChildren(...limits(report, options).map((one) => made("li", one)));
  section.hidden = false;
  section.parentElement.prepend(section);
  section.focus({ preventScroll: false });
  document.title = `${report.verdict.toUpperCase()} - sealed log`;
  if (report.exit === 0 && !report.shown) remember(report);
  browsing = null;
  byId("entries").hidden = !(report.shelf || report.shown);
  if (report.shelf || report.shown) browse(report);
}

/** A head that was proven is remembered in this browser, so that an older copy shows the next time. */
function remember(report) {
  const { shelf, head, origin } = report;
  const key = shelf.reigns.at(-1)?.[1];
  if (!key) return;
  try {
    const line = JSON.stringify({ count: report.entries, head: head.hash, height: head.height, key: report.headKey, origin, root: "", sealed: head.sealed, v: 1 });
    const others = JSON.parse(localStorage.getItem(MEMORY) ?? "[]").filter((one) => JSON.parse(one).origin !== origin);
    localStorage.setItem(MEMORY, JSON.stringify([...others, `${line}\n`]));
  } catch {
    // Private windows have no storage: then nothing is remembered, which the page never promises.
  }
}

// ---------------------------------------------------------------------------------------------------- entries

function asked() {
  const form = byId("filter").elements;
  const us = (value) => (value ? Date.parse(`${value}Z`) * 1000 : null);
  const texts = Object.fromEntries(["kind", "target", "rule", "text"].map((name) => [name, form[name].value.trim()]));
  return { ...texts, from: us(form.from.value), to: us(form.to.value), newest: form.order.value === "newest" };
}

async function* listed(report, newest) {
  if (report.shelf) yield* report.shelf.entries(newest);
  else yield* newest ? report.shown.toReversed() : report.shown;
}

function browse(report) {
  const filter = asked();
  browsing = { report, filter, source: listed(report, filter.newest), pages: [], at: -1, done: false, seen: 0 };
  return turn(1);
}

async function turn(step) {
  const mine = browsing;
  byId("more").disabled = byId("back").disabled = true;
  if (mine.at + step >= mine.pages.length && !mine.done) await fetchPage(mine);
  if (browsing !== mine) return;
  mine.at = Math.max(0, Math.min(mine.at + step, mine.pages.length - 1));
  const page = mine.pages[mine.at] ?? [];
  byId("list").tBodies[0].replaceChildren(...page.flatMap(line));
  byId("back").disabled = mine.at <= 0;
  byId("more").disabled = mine.done && mine.at >= mine.pages.length - 1;
  byId("where").textContent = page.length ? `page ${mine.at + 1}` : "no entry fits";
}

async function fetchPage(mine) {
  const page = [];
  let rested = performance.now();
  while (page.length < PAGE) {
    const { value, done } = await mine.source.next();
    if (browsing !== mine) return;
    if (done) {
      mine.done = true;
      break;
    }
    mine.seen += 1;
    const seen = value.octets && described(value.octets);
    if (!seen || passes(value.octets, seen, mine.filter)) page.push({ ...value, seen });
    if (performance.now() - rested > 50) {
      byId("where").textContent = `looked at ${mine.seen.toLocaleString("en")} entries ...`;
      await new Promise((go) => setTimeout(go));
      rested = performance.now();
    }
  }
  if (page.length || !mine.pages.length) mine.pages.push(page);
}

function line({ height, seq, octets, seen, because }) {
  if (!octets) {
    const told = made("td", `block ${height} is not shown: ${because}`);
    told.colSpan = 6;
    return [made("tr", "", [told])];
  }
  const open = made("button", seq);
  open.type = "button";
  open.setAttribute("aria-expanded", "false");
  open.setAttribute("aria-label", `Octets of entry ${seq}`);
  const cells = [seen.ts === null ? "" : moment(seen.ts), seen.kind, seen.target, seen.rule, seen.what].map((text) => made("td", text));
  const row = made("tr", "", [made("td", "", [open]), ...cells]);
  const inside = made("td", "", [made("div", `block ${height}, leaf hash ${hex(leafHash(octets))}`), made("pre", shownOctets(octets))]);
  inside.colSpan = 6;
  const more = made("tr", "", [inside]);
  more.className = "octets";
  more.hidden = true;
  open.addEventListener("click", () => {
    more.hidden = !more.hidden;
    open.setAttribute("aria-expanded", String(!more.hidden));
  });
  return [row, more];
}

// ------------------------------------------------------------------------------------------------------ start

function start() {
  const drop = byId("drop");
  for (const kind of KIND_NAMES) byId("filter").elements.kind.append(made("option", kind));
  byId("files").addEventListener("change", (event) => {
    const files = [...event.target.files];
    // The same file may be chosen again after it was mended.
    event.target.value = "";
    take(files);
  });
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop") take([...event.dataTransfer.files]);
    });
  }
  byId("options").addEventListener("submit", (event) => {
    event.preventDefault();
    verify();
  });
  byId("filter").addEventListener("submit", (event) => {
    event.preventDefault();
    if (browsing) browse(browsing.report);
  });
  byId("more").addEventListener("click", () => turn(1));
  byId("back").addEventListener("click", () => turn(-1));
  if (!subtle) {
    const told = made("p", "This page came over plain http from another machine: browsers offer no cryptography there, so signatures cannot be checked. Save it and open it as a file, or serve it over https or from localhost.");
    told.setAttribute("role", "alert");
    byId("give").prepend(told);
  }
}

// The same script runs in the workers, where there is no document.
if (typeof document === "undefined") serve(globalThis);
else start();
