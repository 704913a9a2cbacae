import type { ConnectFailure } from '../../../server/wire/events.ts';
import { RequestError } from './connection-state.ts';
import { byWebSocket, type Link, type LinkListener } from './link.ts';

/**
 * Why there is no connection any more. `hung`: it was not opened in time. `unopened`: it was closed instead. `failed`:
 * an error came before it was opened. `server`: the server has ended it. `broken`: all else.
 */
export type Closing = 'hung' | 'unopened' | 'failed' | 'server' | 'broken';

export interface SocketListener {
  event(name: string, payload: unknown): void;
  /** Anything at all has come from the server. */
  heard(): void;
  /** By the server, with its reason, before there was a connection. */
  refused(failure: Partial<ConnectFailure>): void;
  /** Called once for each connection, unless it was closed from here. */
  closed(how: Closing): void;
}

/** The first characters of Socket.IO's packets. */
const packets = { connect: '0', disconnect: '1', event: '2', ack: '3', connectError: '4' } as const;

/**
 * The part of the Socket.IO protocol (5) that the chat needs: a single namespace, JSON, answers to requests. It
 * keeps nothing for later and tries nothing again: connection.ts decides that.
 */
export class Socket {
  readonly #server: string;
  readonly #openMs: number;
  readonly #listener: SocketListener;
  #link: Link | undefined;
  /** The number of this attempt. Calls that belong to an earlier one are ignored. */
  #attempt = 0;
  #connected = false;
  #opening: ReturnType<typeof setTimeout> | undefined;
  /** Requests that wait for an answer, by their numbers. */
  readonly #waiting = new Map<number, { answered(answer: unknown): void; lost(): void }>();
  #requests = 0;
  /** The bytes of the largest packet. */
  #most = 0;

  /** @param openMs - in so long a connection is to be opened */
  constructor(server: string, openMs: number, listener: SocketListener) {
    this.#server = server;
    this.#openMs = openMs;
    this.#listener = listener;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /**
   * Opens a connection; one that is open already ends.
   *
   * @param both - tries the other way, too, where the first fails
   */
  connect(first: 'websocket' | 'polling', both: boolean): void {
    this.disconnect();
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
      // The server may have another build by now, or the network was down. WebSocket may work.
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
        this.#link?.send(packets.connect);
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
   * Fails with `too_long` instead of sending a packet for which the server would end the connection, with `timeout` when there is no
   * answer in time, and with `offline` when there can be none any more.
   */
  request(name: string, payload: unknown, ms: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.#connected) return reject(new RequestError('offline'));
      const id = this.#requests++;
      const packet = `${packets.event}${id}${JSON.stringify([name, payload])}`;
      // And the sign of Engine.IO before it.
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

  /** Nothing more comes of it. */
  #drop(): void {
    clearTimeout(this.#opening);
    this.#attempt++;
    this.#link?.close();
    this.#link = undefined;
    this.#connected = false;
    for (const { lost } of [...this.#waiting.values()]) lost();
  }
}
