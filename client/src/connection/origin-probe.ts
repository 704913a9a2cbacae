export type Verdict =
  /** `likely`: it cannot be told for certain, since the browser keeps the answer from the page. */
  | { readonly kind: 'refused' | 'likely' | 'no' }
  | { readonly kind: 'limited'; readonly retryAfterMs: number };

const TIMEOUT_MS = 5000;
const HOUR = 3_600_000;

/**
 * Why the server refuses to open a connection: this page's origin, or a limit. The status of a failed WebSocket is
 * invisible to scripts, so after a first failure this asks once over HTTP.
 */
export async function causeOfRefusal(server: string): Promise<Verdict> {
  const polling = new URL('socket.io/?EIO=4&transport=polling', server);
  try {
    const answer = await fetch(polling, { credentials: 'include', signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (answer.status === 429) {
      return { kind: 'limited', retryAfterMs: pause(answer.headers.get('Retry-After')) };
    }
    if (answer.status !== 403) return { kind: 'no' };
    const body = (await answer.json()) as { error?: { code?: string } };
    return { kind: body.error?.code === 'origin_not_allowed' ? 'refused' : 'no' };
  } catch {
    // Across origins a refusal cannot be read and looks like a server that is down. The element's script
    // is open to every origin: where it is served and Socket.IO is not, the origin is what is refused,
    // or else something in between keeps Socket.IO out.
    if (new URL(server).origin === location.origin) return { kind: 'no' };
    const script = new URL('php-chat.js', server);
    const open = await fetch(script, {
      method: 'HEAD',
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).then(
      ({ ok }) => ok,
      () => false,
    );
    return { kind: open ? 'likely' : 'no' };
  }
}

/** The server says seconds; a proxy before it may say a date, or anything. */
function pause(retryAfter: string | null): number {
  const seconds = Number(retryAfter ?? 1);
  const ms = Number.isNaN(seconds) ? Date.parse(String(retryAfter)) - Date.now() : 1000 * seconds;
  return ms > 0 ? Math.min(ms, HOUR) : 1000;
}
