// The Merkle tree of RFC 6962, section 2.1: roots, a tree that grows, and proofs that a leaf is in one.
import { join, same } from "./bytes.js";
import { sha256 } from "./sha256.js";

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

export function leafHash(octets) {
  return sha256(join(LEAF, octets));
}

export function nodeHash(left, right) {
  return sha256(join(NODE, left, right));
}

/** A tree that grows at its right edge and keeps only the roots of its complete sub-trees. */
export class Frontier {
  constructor() {
    this.size = 0;
    this.peaks = [];
  }

  append(leaf) {
    let hash = leaf;
    // One complete sub-tree for each bit that is set; a carry joins two of equal size.
    for (let bits = this.size; bits % 2 === 1; bits = Math.floor(bits / 2)) hash = nodeHash(this.peaks.pop(), hash);
    this.peaks.push(hash);
    this.size += 1;
  }

  root() {
    if (this.size === 0) return sha256(new Uint8Array(0));
    return this.peaks.reduceRight((right, left) => nodeHash(left, right));
  }
}

export function rootOf(leaves) {
  const tree = new Frontier();
  for (const leaf of leaves) tree.append(leaf);
  return tree.root();
}

/** Whether `path` leads from the leaf at `index` to the root of a tree of `size` leaves (RFC 9162, section 2.1.3.2). */
export function included(index, size, leaf, path, root) {
  if (index >= size || leaf.length !== 32) return false;
  let fn = index;
  let sn = size - 1;
  let hash = leaf;
  for (const other of path) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(other, hash);
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2);
        sn = Math.floor(sn / 2);
      }
    } else {
      hash = nodeHash(hash, other);
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 && same(hash, root);
}
