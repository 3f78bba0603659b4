/** As much of the options of `createClient` as an address says. */
export type ConnectionOptions =
  | { url: string }
  | { socket: { path: string; tls: false }; database: number; username?: string; password?: string };

/**
 * The options of `createClient` for any address that RRQ's workers take. A Unix socket's,
 * `unix://[[user]:password@]/path[?db=N]`, is none of the client's own.
 */
export function connectionOptions(dsn: string): ConnectionOptions {
  const parts = UNIX.exec(dsn)?.groups;
  if (parts === undefined) return { url: dsn };
  const { user, password, path, query } = parts;
  return {
    socket: { path: decodeURIComponent(path ?? ""), tls: false },
    database: Number(new URLSearchParams(query ?? "").get("db") ?? 0),
    ...(user ? { username: decodeURIComponent(user) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
  };
}

const UNIX = /^unix:\/\/((?<user>[^:@/]*):(?<password>[^@/]*)@)?(?<path>\/[^?]*)(\?(?<query>.*))?$/;
