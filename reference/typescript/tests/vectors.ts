/** The test vectors of all languages, for the tests of this package. */

import { readFileSync } from "node:fs";
import { test } from "node:test";

import { parseJson, type Json } from "../src/json.js";

export const ROOT = new URL("../../../../", import.meta.url);

/** A text of the vectors: itself, or pieces that may be repeated. */
export type Text = string | (string | { repeat: string; times: number })[];

/** A case that has a line. */
export interface Line {
  line?: Text;
  line_hex?: string;
}

/** The text itself. */
export function text(rule: Text): string {
  const pieces = typeof rule === "string" ? [rule] : rule;
  return pieces.map((p) => (typeof p === "string" ? p : p.repeat.repeat(p.times))).join("");
}

/** The line, without its end. */
export function bytes(line: Line): Buffer {
  return line.line_hex === undefined
    ? Buffer.from(text(line.line ?? ""))
    : Buffer.from(line.line_hex, "hex");
}

/** The value of a text. */
export function json(rule: Text): Json {
  return parseJson(text(rule));
}

/** A test for each case of a file, of the case's name. */
export function each<Case>(file: string, run: (one: Case) => void): void {
  const read = readFileSync(new URL(`tests/vectors/${file}.json`, ROOT), "utf8");
  for (const one of (JSON.parse(read) as { cases: (Case & { name: string })[] }).cases) {
    test(`${file}: ${one.name}`, () => run(one));
  }
}
