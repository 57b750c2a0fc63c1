// Node 18 keeps WebCrypto behind a flag: imported first, this gives the modules what every browser has.
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
