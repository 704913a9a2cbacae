import type { BrowserContext, WebSocketRoute } from '@playwright/test';

/** The connection of a browser's chat, which can be held in the state that a picture shows. */
export class Wire {
  /** Requests that stay unanswered. */
  readonly held = new Set<string>();
  /** Requests that get this answer, like from a server in trouble. */
  readonly answers = new Map<string, unknown>();
  #down = false;
  #refusal: string | undefined;
  readonly #open = new Set<WebSocketRoute>();

  static async of(context: BrowserContext): Promise<Wire> {
    const wire = new Wire();
    await context.routeWebSocket(/socket\.io/, (page) => wire.#opened(page));
    await context.route(/socket\.io/, (route) => (wire.#down ? route.abort() : route.fallback()));
    return wire;
  }

  /** Makes the server unreachable. */
  cut(): void {
    this.#down = true;
    for (const page of this.#open) void page.close();
  }

  /** Refuses all connections, for that reason. */
  refuse(data: { code: string; retryAfterMs: number }): void {
    this.#refusal = `44${JSON.stringify({ message: data.code, data })}`;
    for (const page of this.#open) void page.close();
  }

  #opened(page: WebSocketRoute): void {
    if (this.#down) return void page.close();
    this.#open.add(page);
    const server = page.connectToServer();
    page.onMessage((message) => {
      if (this.#refusal !== undefined && String(message).startsWith('40')) return page.send(this.#refusal);
      const [, ack, name = ''] = /^42(\d+)\["([^"]+)"/.exec(String(message)) ?? [];
      if (this.held.has(name)) return;
      const answer = this.answers.get(name);
      if (answer !== undefined) page.send(`43${ack}${JSON.stringify([answer])}`);
      else server.send(message);
    });
  }
}
