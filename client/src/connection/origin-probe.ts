export type Verdict =
  /** `likely`: not certain, because the browser hides the response from the page. */
  | { readonly kind: 'refused' | 'likely' | 'no' }
  | { readonly kind: 'limited'; readonly retryAfterMs: number };

const TIMEOUT_MS = 5000;
const HOUR = 3_600_000;

/**
 * Finds out why the server refuses a connection: because of this page's origin, or because of a limit. Scripts cannot
 * see the status of a failed WebSocket, so the reason is requested over HTTP after the first failure.
 */
export async function causeOfRefusal(server: string): Promise<Verdict> {
  const polling = new URL('socket.io/?EIO=4&transport=polling', server);
  const isOwnOrigin = new URL(server).origin === location.origin;
  const ask = (method: 'GET' | 'POST') =>
    fetch(polling, { method, credentials: 'include', signal: AbortSignal.timeout(TIMEOUT_MS) });
  try {
    let answer = await ask('GET');
    // For the page's own origin, browsers send `Origin` with a POST only. The server rejects this one in any case.
    if (answer.ok && isOwnOrigin) answer = await ask('POST');
    if (answer.status === 429) {
      return { kind: 'limited', retryAfterMs: pause(answer.headers.get('Retry-After')) };
    }
    if (answer.status !== 403) return { kind: 'no' };
    const body = (await answer.json()) as { error?: { code?: string } };
    return { kind: body.error?.code === 'origin_not_allowed' ? 'refused' : 'no' };
  } catch {
    // Across origins, a refusal cannot be read and looks like a server that is down. The element's script is available
    // to every origin. If it is served and Socket.IO is not, then the origin is refused, or something in between blocks
    // Socket.IO.
    if (isOwnOrigin) return { kind: 'no' };
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

/**
 * Converts `Retry-After` to milliseconds, at most an hour. The server sends seconds, but a proxy may send a date or
 * anything else.
 */
function pause(retryAfter: string | null): number {
  const seconds = Number(retryAfter ?? 1);
  const ms = Number.isNaN(seconds) ? Date.parse(String(retryAfter)) - Date.now() : 1000 * seconds;
  return ms > 0 ? Math.min(ms, HOUR) : 1000;
}
