export type Verdict =
  /** `likely`: it cannot be told for certain, since the browser keeps the answer from the page. */
  | { readonly kind: 'refused' | 'likely' | 'no' }
  | { readonly kind: 'limited'; readonly retryAfterMs: number };

/**
 * Why the server refuses to open a connection: this page's origin, or a limit. The status of a failed WebSocket is
 * invisible to scripts, so after a first failure this asks once over HTTP.
 */
export async function causeOfRefusal(server: string): Promise<Verdict> {
  const polling = new URL('socket.io/?EIO=4&transport=polling', server);
  try {
    const answer = await fetch(polling, { credentials: 'include', signal: AbortSignal.timeout(5000) });
    if (answer.status === 429) {
      return { kind: 'limited', retryAfterMs: 1000 * Number(answer.headers.get('Retry-After') ?? 1) };
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
    const open = await fetch(script, { method: 'HEAD', cache: 'no-store' }).then(
      ({ ok }) => ok,
      () => false,
    );
    return { kind: open ? 'likely' : 'no' };
  }
}
