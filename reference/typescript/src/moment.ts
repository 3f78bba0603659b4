/** A moment to the nanosecond: a `Date` has milliseconds. */
export class Moment {
  /**
   * @param unixSeconds whole seconds since 1970.
   * @param nanoseconds those since that second, up to 999,999,999.
   */
  constructor(
    readonly unixSeconds: number,
    readonly nanoseconds: number,
  ) {}

  /** Read an RFC 3339 time with its offset. Throws RangeError. */
  static parse(text: string): Moment {
    const parts = RFC_3339.exec(text)?.groups;
    if (parts === undefined) throw new RangeError(`${JSON.stringify(text)} is no RFC 3339 time`);
    const wall = new Date(`${parts["wall"]}Z`);
    // What does not exist, such as February 30, `Date` takes for another day.
    if (Number.isNaN(wall.getTime()) || wall.toISOString().slice(0, 19) !== parts["wall"]) {
      throw new RangeError(`${JSON.stringify(text)} does not exist`);
    }
    const minutes = Number(parts["hours"] ?? 0) * 60 + Number(parts["minutes"] ?? 0);
    const offset = parts["sign"] === "-" ? -minutes : minutes;
    const nanoseconds = Number((parts["fraction"] ?? "").padEnd(9, "0"));
    return new Moment(wall.getTime() / 1000 - offset * 60, nanoseconds);
  }

  /** The same moment; what is below a millisecond is cut off. */
  toDate(): Date {
    return new Date(this.unixSeconds * 1000 + Math.floor(this.nanoseconds / 1e6));
  }

  /** Milliseconds since 1970, with a fraction of microseconds. */
  get unixMilliseconds(): number {
    return (this.unixSeconds * 1e6 + Math.floor(this.nanoseconds / 1000)) / 1000;
  }

  /** RFC 3339 in UTC, with all nine digits. */
  toString(): string {
    const seconds = new Date(this.unixSeconds * 1000).toISOString().slice(0, 19);
    return `${seconds}.${String(this.nanoseconds).padStart(9, "0")}Z`;
  }

  /** As `toString`. */
  toJSON(): string {
    return this.toString();
  }
}

const RFC_3339 =
  /^(?<wall>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.(?<fraction>\d{1,9}))?(Z|(?<sign>[+-])(?<hours>[01]\d|2[0-3]):(?<minutes>[0-5]\d))$/;
