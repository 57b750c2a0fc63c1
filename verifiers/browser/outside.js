// What somebody outside says of a log: anchors, checkpoints and witnesses, compared while the log goes by.
import { Unproven, hex, same } from "./bytes.js";
import { parseAnchor } from "./format.js";
import { Policy, VerifierKey, parseCheckpoint, signedByLog, signers } from "./note.js";

const MOST_FILES = 10000;

/** Octets of a file an auditor gave as anchor: {anchor} or {checkpoint}. */
export function readAnchor(octets) {
  return octets[0] === 0x7b ? { anchor: parseAnchor(octets) } : { checkpoint: parseCheckpoint(octets) };
}

/** All outside facts; `trusted` are the auditor's own, `vouched` those that the log's or the witnesses' keys signed. */
export class Outside {
  /** Read what was given; what cannot be read goes to `reasons` where the auditor relies on it, else to `notes`. */
  static async read({ anchors = [], heads = [], checkpoints = [], noteKeys = [], policy = null }, notes, reasons) {
    const outside = new Outside();
    // What this browser remembers of other logs is no business of this one.
    outside.anchors = heads.map((head) => ({ ...head, remembered: true }));
    outside.trees = [];
    outside.covers = -1;
    outside.matches = [];
    outside.matched = 0;
    const told = async (list, what, work) => {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Unproven)) throw error;
        list.push(`${what}: ${error.message}`);
        return null;
      }
    };
    if (anchors.length + checkpoints.length > MOST_FILES) throw new Unproven("too many anchors and checkpoints");
    outside.policy = policy && (await told(reasons, "the policy", () => Policy.parse(policy)));
    const keys = [...(outside.policy?.logs ?? [])];
    for (const line of noteKeys) {
      const key = await told(notes, "a verifier key was left aside", () => VerifierKey.parse(line.trim()));
      if (key) keys.push(key);
    }
    for (const octets of anchors) {
      await told(reasons, "an anchor cannot be used", async () => {
        const found = readAnchor(octets);
        if (found.anchor) outside.anchors.push(found.anchor);
        else await outside.#add(found.checkpoint, true, keys);
      });
    }
    for (const octets of checkpoints) {
      // Without a policy no checkpoint found beside the log could count, so a bad one takes nothing away.
      await told(outside.policy ? reasons : notes, "a checkpoint cannot be used", () => outside.#add(parseCheckpoint(octets), false, keys));
    }
    return outside;
  }

  async #add(checkpoint, trusted, logs) {
    const found = await signers(checkpoint.note, [...logs, ...(this.policy?.witnesses.values() ?? [])]);
    const witnessed = this.policy?.witnessed(checkpoint, found) ?? null;
    if (!trusted && !witnessed && !signedByLog(checkpoint, found, logs)) return;
    this.trees.push({ ...checkpoint, trusted, witnessed, oldestAfter: Infinity, newestAfter: 0, matched: false });
  }

  /** Compare with the origin of the log, once it is known. */
  meet(origin, tell) {
    if (origin === null) origin = this.anchors[0]?.origin ?? this.trees[0]?.origin;
    for (const anchor of this.anchors) if (anchor.origin !== origin && !anchor.remembered) tell(anchor.height, `an anchor is of another log, ${anchor.origin}`);
    // What no known key signed was left aside before: these speak of the log that the auditor means.
    for (const tree of this.trees) if (tree.origin !== origin) tell(tree.size - 1, `a checkpoint is of another log, ${tree.origin}`);
    this.anchors = this.anchors.filter((anchor) => anchor.origin === origin);
    this.trees = this.trees.filter((tree) => tree.origin === origin);
    this.byHeight = Map.groupBy ? Map.groupBy(this.anchors, (anchor) => anchor.height) : grouped(this.anchors, "height");
    this.bySize = Map.groupBy ? Map.groupBy(this.trees, (tree) => tree.size) : grouped(this.trees, "size");
  }

  /** A block went by: `tree` is the log's tree with it. */
  pass(header, hash, tree, tell) {
    for (const one of this.trees) {
      if (one.size >= tree.size) continue;
      one.oldestAfter = Math.min(one.oldestAfter, header.sealed);
      one.newestAfter = Math.max(one.newestAfter, header.sealed);
    }
    for (const anchor of this.byHeight.get(header.height) ?? []) {
      const odd = differs(anchor, header, hash);
      if (odd) tell(header.height, `the anchor at this height names another ${odd}`);
      else this.#match(header.height);
    }
    for (const one of this.bySize.get(tree.size) ?? []) {
      if (!same(one.root, tree.root())) {
        tell(header.height, `a checkpoint of ${one.size} blocks names another tree: the log was forked or rewritten`);
        continue;
      }
      one.matched = true;
      if (one.trusted || one.witnessed) this.#match(header.height);
    }
  }

  /** What is known outside about the blocks of a bundle: whether each is vouched for, and the oldest of its witnessings. */
  async bundle(blocks, tell, reasons) {
    this.meet(blocks[0].header.origin, tell);
    let vouched = true;
    let since = Infinity;
    for (const block of blocks) {
      let known = false;
      for (const anchor of this.byHeight.get(block.height) ?? []) {
        if (anchor.head === hex(block.hash)) known = true;
        else tell(block.height, "an anchor names another block at this height");
      }
      for (const tree of this.bySize.get(block.checkpoint.size) ?? []) {
        if (!same(tree.root, block.checkpoint.root)) tell(block.height, "a checkpoint names another tree of this size");
        else if (tree.trusted) known = true;
      }
      const witnessed = await this.#witnessed(block, reasons);
      since = Math.min(since, witnessed?.since ?? -Infinity);
      vouched &&= known || Boolean(witnessed);
    }
    return { vouched, since: Number.isFinite(since) ? since : null };
  }

  async #witnessed({ checkpoint, height }, reasons) {
    if (!this.policy) return null;
    try {
      return this.policy.witnessed(checkpoint, await signers(checkpoint.note, [...this.policy.logs, ...this.policy.witnesses.values()]));
    } catch (error) {
      if (!(error instanceof Unproven)) throw error;
      reasons.push(`the checkpoint of block ${height}: ${error.message}`);
      return null;
    }
  }

  #match(height) {
    this.matched += 1;
    this.covers = Math.max(this.covers, height);
    this.matches.push(height);
  }

  /** The newest block up to `height` that was remembered while it was new: a later head tells how the log looked afterwards. */
  coversUpTo(height) {
    return this.matches.reduce((newest, one) => (one <= height && one > newest ? one : newest), -1);
  }

  /** The log ended: whatever lies above it was cut off. Where the walk was `stopped` nobody knows what lies above. */
  end(size, stopped, tell) {
    if (stopped) return;
    const above = [...this.anchors.filter((one) => one.height >= size).map((one) => one.height), ...this.trees.filter((one) => one.size > size).map((one) => one.size - 1)];
    if (above.length) tell(Math.max(...above), `the log ends before block ${Math.max(...above)}, which was seen outside: it was cut, or this is an older copy`);
  }

  /** The best witnessed checkpoint that suffices for L3, and the best there is at all. */
  witness(size, tail, oldest) {
    const witnessed = this.trees.filter((one) => one.matched && one.witnessed && one.size > 0).sort((left, right) => right.size - left.size);
    const suffices = (one) => (one.size >= size || one.newestAfter - one.oldestAfter <= tail) && one.witnessed.since * 1e6 >= oldest;
    const good = witnessed.find(suffices);
    const best = good ?? witnessed[0];
    return { reached: Boolean(good), best: best && { size: best.size, since: best.witnessed.since } };
  }
}

function grouped(list, name) {
  const groups = new Map();
  for (const one of list) groups.set(one[name], [...(groups.get(one[name]) ?? []), one]);
  return groups;
}

function differs(anchor, header, hash) {
  if (anchor.head !== hex(hash)) return "head";
  if (anchor.count !== header.first + header.count) return "count of entries";
  if (anchor.key !== header.keys[0]) return "key";
  if (anchor.root !== "") return "root";
  return anchor.sealed === header.sealed ? null : "time";
}
