import assert from "node:assert/strict";
import { test } from "node:test";

import { parseJson, writeJson, type Json } from "../src/json.js";
import { Moment } from "../src/moment.js";
import { BadLine, decode, encode, type Hello, type Outcome, type Progress } from "../src/protocol.js";
import { bytes, each, json, text, type Line, type Text } from "./vectors.js";

type Fields = { [name: string]: Json };

interface Time {
  unix_seconds: number;
  nanoseconds: number;
}

interface Expected {
  job_id: string;
  function_name: string;
  args: Text;
  kwargs: Text;
  context: {
    attempt: number;
    enqueue_time: Time;
    queue_name: string;
    deadline: Time | null;
    trace_context: Record<string, string> | null;
    worker_id: string | null;
    lease_token: number | null;
  };
}

function moment(time: Time): Moment;
function moment(time: Time | null): Moment | null;
function moment(time: Time | null): Moment | null {
  return time && new Moment(time.unix_seconds, time.nanoseconds);
}

each<Line & { expect: Expected }>("requests", (one) => {
  const { context, ...expected } = one.expect;
  assert.deepEqual(decode(bytes(one)), {
    type: "request",
    jobId: expected.job_id,
    functionName: expected.function_name,
    args: json(expected.args),
    kwargs: json(expected.kwargs),
    context: {
      jobId: expected.job_id,
      attempt: context.attempt,
      enqueueTime: moment(context.enqueue_time),
      queueName: context.queue_name,
      deadline: moment(context.deadline),
      traceContext: context.trace_context,
      workerId: context.worker_id,
      leaseToken: context.lease_token,
    },
  });
});

each<Line & { answer: { job_id: string[]; error_message?: string } }>("bad_requests", (one) => {
  const answer = refusal(bytes(one));
  assert.ok(answer, "it is read");
  assert.equal(answer.status, "error");
  assert.ok(one.answer.job_id.includes(answer.job_id), answer.job_id);
  if (one.answer.error_message) assert.equal(answer.error_message, one.answer.error_message);
});

each<Line>("doubtful_requests", (one) => {
  const answer = refusal(bytes(one));
  if (answer) assert.ok(["j1", "unknown"].includes(answer.job_id), answer.job_id);
});

each<Line & { outcome: Outcome & { result?: Text } }>("outcomes", (one) => {
  const outcome: Outcome = { ...one.outcome };
  if (one.outcome.result !== undefined) outcome.result = json(one.outcome.result);
  const known = [
    "job_id", "status", "result", "error_message", "error_type", "retry_after_seconds",
  ];
  same(encode(outcome), one, known);
});

each<Line & { type: string; message: Fields }>("messages", (one) => {
  if (one.type === "cancel") {
    assert.deepEqual(decode(bytes(one)), { type: "cancel", jobId: one.message["job_id"] });
  } else if (one.type === "hello") {
    const hello = { type: "hello", ...one.message } as unknown as Hello;
    const known = [
      "type", "protocol_version", "features", "max_in_flight", "functions", "runtime",
    ];
    same(encode(hello), one, known);
  } else {
    const progress = { type: "progress", ...one.message } as unknown as Progress;
    same(encode(progress), one, ["type", "job_id", "current", "total", "message"]);
  }
});

each<Time & { text: string }>("times", (one) => {
  const read = Moment.parse(one.text);
  assert.deepEqual(read, moment(one));
  assert.deepEqual(Moment.parse(read.toString()), read);
});

each<{ text: string }>("bad_times", (one) => {
  assert.throws(() => Moment.parse(one.text), RangeError);
});

each<{ json: Text }>("values", (one) => {
  const value = json(one.json);
  const written = writeJson(value);
  assert.deepEqual(parseJson(written), value);
  // An own reader is no witness of the digits: what it read must be in what was written.
  const digits = /^-?\d{16,}$/.exec(text(one.json));
  if (digits) assert.equal(written, digits[0]);
  else assert.deepEqual(JSON.parse(written), JSON.parse(text(one.json)));
});

test("big integers keep their digits between texts that look like them", () => {
  const line = String.raw`{"12345678901234567890":"\"12345678901234567891\\",` +
    `"a":[12345678901234567892,-0.0,1234567890123456.5,"x"]}`;
  assert.equal(writeJson(parseJson(line)), line);
});

test("a big integer as a name is no JSON", () => {
  assert.throws(() => parseJson("{12345678901234567890:1}"), SyntaxError);
});

test("what would not be read again as it is cannot be written", () => {
  for (const value of ["\ud800", { "\udc00": 1 }, [NaN], Infinity, () => 1, [Symbol("x")]]) {
    assert.throws(() => writeJson(value), TypeError);
  }
});

function refusal(line: Buffer): Outcome | undefined {
  try {
    decode(line);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof BadLine, String(error));
    return error.outcome;
  }
}

/** Compare by the known fields; null, and an empty list of features, is as if it were missing. */
function same(written: string, line: Line, known: string[]): void {
  const said = parseJson(written) as Fields;
  const wanted = parseJson(bytes(line).toString()) as Fields;
  assert.deepEqual(Object.keys(said).filter((name) => !known.includes(name)), []);
  assert.deepEqual(told(said, known), told(wanted, known));
}

function told(message: Fields, known: string[]): Fields {
  const isTold = ([name, value]: [string, Json]): boolean =>
    known.includes(name) &&
    (value !== null || name === "result") &&
    !(name === "features" && (value as Json[]).length === 0);
  return Object.fromEntries(Object.entries(message).filter(isTold));
}
