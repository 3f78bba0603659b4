/**
 * JSON to the last digit. An integer that no double holds is read as a `bigint` and written as it
 * was; zero keeps its sign. What is no JSON in UTF-8 is refused rather than changed.
 */

/** Any value that JSON has. */
export type Json = null | boolean | number | bigint | string | Json[] | { [name: string]: Json };

/** Read a text. Throws SyntaxError, or RangeError if it is too deep. */
export function parseJson(text: string): Json {
  const plain: Json = JSON.parse(text);
  if (!/\d{16}/.test(text)) return plain;
  return JSON.parse(quoteBigIntegers(text), (_name, value: Json) =>
    typeof value === "string" && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  );
}

/**
 * Write a value on one line. Throws TypeError for what would not be read again as it is: numbers
 * that are not finite, half a surrogate pair, a function, a symbol, a cycle.
 */
export function writeJson(value: unknown): string {
  let marked = false;
  const text = JSON.stringify(value === undefined ? null : value, (name, one: unknown) => {
    if (!name.isWellFormed()) throw new TypeError(HALF_PAIR);
    switch (typeof one) {
      case "string":
        if (!one.isWellFormed()) throw new TypeError(HALF_PAIR);
        return one;
      case "number":
        if (!Number.isFinite(one)) throw new TypeError(`${one} is no JSON`);
        if (!Object.is(one, -0)) return one;
        marked = true;
        return `${MARK}-0.0`;
      case "bigint":
        marked = true;
        return `${MARK}${one}`;
      case "function":
      case "symbol":
        throw new TypeError(`a ${typeof one} is no JSON`);
      default:
        return one;
    }
  });
  return marked ? text.replaceAll(WRITTEN_MARK, "$1") : text;
}

const HALF_PAIR = "it has half of a surrogate pair, which is no text";

// Node 20 has no way to read or write a number's own digits: they pass as a text with a mark that
// nobody else can know.
const MARK = `${crypto.randomUUID()}:`;
const WRITTEN_MARK = new RegExp(`"${MARK}([-0-9.]+)"`, "g");

/** The text, which is JSON, with each integer that no double holds as a marked text. */
function quoteBigIntegers(text: string): string {
  const pieces: string[] = [];
  const token = /"|-?[0-9][-+.0-9eE]*/g;
  let copied = 0;
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    const [word] = found;
    if (word === '"') {
      token.lastIndex = endOfString(text, found.index);
    } else if (/^-?[0-9]{16,}$/.test(word) && !Number.isSafeInteger(Number(word))) {
      pieces.push(text.slice(copied, found.index), `"${MARK}${word}"`);
      copied = token.lastIndex;
    }
  }
  return pieces.join("") + text.slice(copied);
}

/** Where the text goes on behind the string that begins there. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === "\\") backslashes += 1;
    if (backslashes % 2 === 0) return end + 1;
  }
}
