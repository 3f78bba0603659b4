/**
 * Enqueues the test vectors.
 *
 *     npm run build && rrq producer check -- node dist/examples/enqueue-vectors.js
 */

import { readFileSync } from "node:fs";

import { createClient } from "@redis/client";

import {
  connectionOptions,
  DuplicateJobError,
  type JobOptions,
  Moment,
  Producer,
} from "../src/producer.js";
import { parseJson } from "../src/protocol.js";

type Text = string | (string | { repeat: string; times: number })[];

interface Case {
  name: string;
  function_name: string;
  args: Text;
  kwargs: Text;
  options: Record<string, unknown>;
}

/** A text of the vectors: itself, or pieces that may be repeated. */
function text(rule: Text): string {
  const pieces = typeof rule === "string" ? [rule] : rule;
  return pieces.map((p) => (typeof p === "string" ? p : p.repeat.repeat(p.times))).join("");
}

/** The options of a case, by the producer's names. */
function camelCased(options: Record<string, unknown>): JobOptions {
  const named = Object.entries(options).map(([name, value]) => [
    name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
    name === "defer_until" ? Moment.parse(String(value)) : value,
  ]);
  return Object.fromEntries(named) as JobOptions;
}

const dsn = process.env["RRQ_REDIS_DSN"] ?? "redis://localhost:6379/0";
const client = createClient(connectionOptions(dsn));
client.on("error", (error) => console.error(error));
await client.connect();
const producer = new Producer(client);
const vectors = readFileSync(process.env["RRQ_VECTORS"] ?? "jobs.json", "utf8");
for (const one of (JSON.parse(vectors) as { cases: Case[] }).cases) {
  const args = parseJson(text(one.args)) as unknown[];
  const kwargs = parseJson(text(one.kwargs)) as Record<string, unknown>;
  try {
    await producer.enqueue(one.function_name, args, kwargs, camelCased(one.options));
  } catch (error) {
    if (!(error instanceof DuplicateJobError)) throw error;
    console.log(`${one.name}: ${error.message}`);
  }
}
client.destroy();
