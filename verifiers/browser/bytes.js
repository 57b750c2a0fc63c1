// Octets: hexadecimal, base64 and UTF-8, each read strictly, and the two ways a check can end badly.

/** A contradiction: the octets cannot be an honest log. */
export class Wrong extends Error {}

/** No proof either way: unreadable, unknown, missing. */
export class Unproven extends Error {}

const HEX = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));

export function hex(octets) {
  let text = "";
  for (const octet of octets) text += HEX[octet];
  return text;
}

export function unhex(text) {
  const octets = new Uint8Array(text.length / 2);
  for (let i = 0; i < octets.length; i++) octets[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return octets;
}

export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function same(left, right) {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

export function zeros(octets) {
  return octets.every((octet) => octet === 0);
}

export function octetsOf(text) {
  return new TextEncoder().encode(text);
}

/** Text of UTF-8 octets; throws TypeError where they are not UTF-8. A byte order mark stays, so that it can be refused. */
export function textOf(octets) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
}

/** Octets of standard base64 (RFC 4648, section 4) with its padding and no stray bits; null where it is anything else. */
export function unbase64(text) {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const raw = atob(text);
  // atob forgives bits behind the end; only the one true spelling may pass.
  if (btoa(raw) !== text) return null;
  return Uint8Array.from(raw, (letter) => letter.charCodeAt(0));
}

export function base64(octets) {
  let raw = "";
  for (const octet of octets) raw += String.fromCharCode(octet);
  return btoa(raw);
}
