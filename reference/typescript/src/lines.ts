/** In the place of a line that is longer than the limit. */
export const TOO_LONG = Symbol("a line that is too long");

const LINE_END = 0x0a;

/** The lines of a stream of bytes that are not blank, without their ends, in whatever pieces. */
export async function* readLines(
  stream: AsyncIterable<Uint8Array>,
  limitBytes: number,
): AsyncGenerator<Uint8Array | typeof TOO_LONG> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  const add = (piece: Uint8Array): void => {
    bytes += piece.length;
    if (bytes > limitBytes) pieces = [];
    else pieces.push(piece);
  };
  const take = (): Uint8Array | typeof TOO_LONG => {
    const line = bytes > limitBytes ? TOO_LONG : Buffer.concat(pieces);
    pieces = [];
    bytes = 0;
    return line;
  };
  for await (const chunk of stream) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, start)) {
      add(chunk.subarray(start, end));
      start = end + 1;
      const line = take();
      if (!isBlank(line)) yield line;
    }
    add(chunk.subarray(start));
  }
  const rest = take();
  if (!isBlank(rest)) yield rest;
}

function isBlank(line: Uint8Array | typeof TOO_LONG): boolean {
  return line !== TOO_LONG && line.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d));
}
