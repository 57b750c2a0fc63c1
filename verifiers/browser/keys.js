// Public keys and signatures: RSA keys in strict PEM and DER, RSASSA-PSS and Ed25519 through WebCrypto.
import { Unproven, hex, join, octetsOf, unbase64, unhex } from "./bytes.js";
import { sha256 } from "./sha256.js";

const BLOCK = octetsOf("sealed-log/block/v1\n");
const RATCHET = octetsOf("sealed-log/ratchet/v1\n");
/** AlgorithmIdentifier of rsaEncryption with NULL (RFC 3279, section 2.3.1). */
const RSA = unhex("300d06092a864886f70d0101010500");
const PEM = /^\s*-----BEGIN PUBLIC KEY-----[ \t]*\r?\n([A-Za-z0-9+/=\r\n]+?)\r?\n-----END PUBLIC KEY-----\s*$/;
const SMALLEST = 3072;
const LARGEST = 16384;
/** Where the curve has points of small order, any message has a signature: no honest key is one of them. */
const SMALL_ORDERS = new Set([
  "0100000000000000000000000000000000000000000000000000000000000000",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

export const subtle = globalThis.crypto?.subtle;

/** One element of DER: its content, and what follows; throws Unproven where the length is not in the shortest form. */
function element(octets, tag) {
  const [type, first] = octets;
  let size = first;
  let at = 2;
  if (first > 0x80 && first <= 0x84) {
    size = 0;
    for (let i = 0; i < first - 0x80; i++) size = size * 256 + octets[at++];
    if (size < 0x80 || octets[2] === 0) throw new Unproven("the key is not strict DER");
  }
  if (type !== tag || first === 0x80 || first > 0x84 || !(at + size <= octets.length)) throw new Unproven("the key is not an RSA public key in DER");
  return [octets.subarray(at, at + size), octets.subarray(at + size)];
}

function positive(octets, tag) {
  const [content, rest] = element(octets, tag);
  const padded = content[0] === 0;
  if (!content.length || content[0] > 0x7f || (padded && !(content[1] > 0x7f))) throw new Unproven("a number in the key is not strict DER");
  return [padded ? content.subarray(1) : content, rest];
}

/** An RSA public key that may seal a log. */
export class RsaKey {
  /** From the DER of a SubjectPublicKeyInfo; throws Unproven where it is anything but a permitted key. */
  static async ofDer(der) {
    const [info, behind] = element(der, 0x30);
    if (behind.length || hex(info.subarray(0, RSA.length)) !== hex(RSA)) throw new Unproven("the key is not an RSA key");
    const [bits, after] = element(info.subarray(RSA.length), 0x03);
    if (after.length || bits[0] !== 0) throw new Unproven("the key is not strict DER");
    const [numbers, nothing] = element(bits.subarray(1), 0x30);
    const [modulus, rest] = positive(numbers, 0x02);
    const [exponent, end] = positive(rest, 0x02);
    if (nothing.length || end.length) throw new Unproven("the key is not strict DER");
    const length = modulus.length * 8 - Math.clz32(modulus[0]) + 24;
    if (length < SMALLEST || length > LARGEST) throw new Unproven(`an RSA key of ${length} bits: ${SMALLEST} to ${LARGEST} are permitted`);
    if (hex(exponent) !== "010001") throw new Unproven("an RSA key whose exponent is not 65537");
    if (modulus[modulus.length - 1] % 2 === 0) throw new Unproven("an RSA key with an even modulus");
    const key = new RsaKey();
    key.der = der;
    key.size = modulus.length;
    key.fingerprint = hex(sha256(der));
    key.handle = subtle && (await subtle.importKey("spki", der, { name: "RSA-PSS", hash: "SHA-256" }, false, ["verify"]));
    return key;
  }

  /** From a PEM file with one PUBLIC KEY block. */
  static async ofPem(text) {
    if (/PRIVATE KEY/.test(text)) throw new Unproven("this is a private key: it belongs on no other machine. Give seal.pub");
    const found = PEM.exec(text);
    const der = found && unbase64(found[1].replace(/[\r\n]/g, ""));
    if (!der) throw new Unproven("not a PEM file with one PUBLIC KEY block");
    return RsaKey.ofDer(der);
  }

  /** Whether `signature` is this key's over a header. */
  async signed(header, signature) {
    if (signature.length !== this.size) return false;
    return subtle.verify({ name: "RSA-PSS", saltLength: 32 }, this.handle, signature, join(BLOCK, header));
  }
}

let ed25519 = null;

/** Whether this browser knows Ed25519; older ones do not. */
export function knowsEd25519() {
  ed25519 ??= subtle
    ? subtle.importKey("raw", unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), "Ed25519", false, ["verify"]).then(
        () => true,
        () => false,
      )
    : Promise.resolve(false);
  return ed25519;
}

/** Ed25519 (RFC 8032); keys and points of small order are never good. */
export async function ed25519Signed(key, signature, message) {
  if (key.length !== 32 || signature.length !== 64 || smallOrder(key) || smallOrder(signature.subarray(0, 32))) return false;
  try {
    const handle = await subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
    return await subtle.verify("Ed25519", handle, signature, message);
  } catch {
    // Some browsers refuse octets that are no point of the curve when they are imported.
    return false;
  }
}

function smallOrder(point) {
  const bare = point.slice();
  bare[31] &= 0x7f;
  return SMALL_ORDERS.has(hex(bare));
}

export function ratchetSigned(key, header, signature) {
  return ed25519Signed(unhex(key), signature, join(RATCHET, header));
}
