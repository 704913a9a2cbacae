import type { ConnectFailure } from '../../../server/wire/events.ts';
import { RequestError } from './connection-state.ts';
import { byWebSocket, type Link, type LinkListener } from './link.ts';

/**
 * Why a connection closed. `hung`: it was not opened in time. `unopened`: it was closed before it was opened. `failed`:
 * there was an error before it was opened. `server`: the server ended it. `broken`: any other reason.
 */
export type Closing = 'hung' | 'unopened' | 'failed' | 'server' | 'broken';

export interface SocketListener {
  event(name: string, payload: unknown): void;
  /** A packet of any type arrived from the server. */
  heard(): void;
  /** The server refused the connection for this reason. */
  refused(failure: Partial<ConnectFailure>): void;
  /** Called once for each connection, unless the client closed it or it was refused. */
  closed(how: Closing): void;
}

/** The types of Socket.IO packets, which are their first characters. */
const packets = { connect: '0', disconnect: '1', event: '2', ack: '3', connectError: '4' } as const;

/**
 * The part of the Socket.IO protocol (5) that the chat needs: one namespace, JSON, and acknowledgements. It does not
 * queue or retry, because connection.ts decides that.
 */
export class Socket {
  readonly #server: string;
  readonly #openMs: number;
  readonly #listener: SocketListener;
  #link: Link | undefined;
  /** The number of the current attempt. Results of earlier attempts are ignored. */
  #attempt = 0;
  #connected = false;
  #opening: ReturnType<typeof setTimeout> | undefined;
  /** Pending requests by their number. */
  readonly #waiting = new Map<number, { answered(answer: unknown): void; lost(): void }>();
  #requests = 0;
  #auth = '';
  /** The maximum packet size in bytes. */
  #most = 0;

  /** @param openMs - the timeout for opening a connection */
  constructor(server: string, openMs: number, listener: SocketListener) {
    this.#server = server;
    this.#openMs = openMs;
    this.#listener = listener;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /**
   * Opens a connection, and closes the current one.
   *
   * @param both - tries the other transport if the first one fails
   */
  connect(first: 'websocket' | 'polling', both: boolean, auth: object): void {
    this.disconnect();
    this.#auth = JSON.stringify(auth);
    this.#opening = setTimeout(() => this.#close('hung'), this.#openMs);
    if (first === 'polling') return void this.#poll(true, both);
    this.#byWebSocket((how) => (both && how === 'failed' ? void this.#poll(false, false) : this.#close(how)));
  }

  #byWebSocket(closed: LinkListener['closed']): void {
    try {
      this.#link = byWebSocket(this.#server, this.#listening(closed));
    } catch {
      closed('failed');
    }
  }

  async #poll(upgrade: boolean, both: boolean): Promise<void> {
    const attempt = this.#attempt;
    const code = await import('./polling.ts').catch(() => undefined);
    if (attempt !== this.#attempt) return;
    if (code === undefined) {
      // The code may be missing because the server has a newer build or the network was down. WebSocket may
      // still work.
      if (both) return this.#byWebSocket((how) => this.#close(how));
      return this.#close('failed');
    }
    this.#link = code.byPolling(
      this.#server,
      upgrade,
      both,
      this.#listening((how) => this.#close(how)),
    );
  }

  #listening(closed: LinkListener['closed']): LinkListener {
    return {
      opened: (most) => {
        clearTimeout(this.#opening);
        this.#most = most;
        this.#link?.send(packets.connect + this.#auth);
      },
      heard: () => this.#listener.heard(),
      said: (packet) => this.#read(packet),
      closed,
    };
  }

  disconnect(): void {
    if (this.#connected) this.#link?.send(packets.disconnect);
    this.#drop();
  }

  /**
   * Sends a request. Fails with `too_long` if the server would end the connection because of the packet's size. Fails
   * with `timeout` if there is no response in time, and with `offline` if the connection is lost.
   */
  request(name: string, payload: unknown, ms: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.#connected) return reject(new RequestError('offline'));
      const id = this.#requests++;
      const packet = `${packets.event}${id}${JSON.stringify([name, payload])}`;
      // Engine.IO adds one character before the packet.
      if (new TextEncoder().encode(packet).length >= this.#most) return reject(new RequestError('too_long'));
      const settle = () => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      const timer = setTimeout(() => {
        settle();
        reject(new RequestError('timeout'));
      }, ms);
      this.#waiting.set(id, {
        answered(answer) {
          settle();
          resolve(answer);
        },
        lost() {
          settle();
          reject(new RequestError('offline'));
        },
      });
      this.#link?.send(packet);
    });
  }

  #read(packet: string): void {
    const [, type, id, json = ''] = /^(\d)(\d*)(.*)$/s.exec(packet) ?? [];
    if (type === packets.disconnect) return this.#close('server');
    let data: unknown;
    try {
      data = JSON.parse(json);
    } catch {
      return this.#close('broken');
    }
    if (type === packets.connect) {
      this.#connected = true;
    } else if (type === packets.connectError) {
      this.#drop();
      this.#listener.refused((data as { data?: Partial<ConnectFailure> }).data ?? {});
    } else if (type === packets.event) {
      const [name, payload] = data as [string, unknown];
      this.#listener.event(name, payload);
    } else if (type === packets.ack) {
      const [answer] = data as [unknown];
      this.#waiting.get(Number(id))?.answered(answer);
    }
  }

  #close(how: Closing): void {
    this.#drop();
    this.#listener.closed(how);
  }

  /** Closes the link and fails the pending requests. */
  #drop(): void {
    clearTimeout(this.#opening);
    this.#attempt++;
    this.#link?.close();
    this.#link = undefined;
    this.#connected = false;
    for (const { lost } of [...this.#waiting.values()]) lost();
  }
}
