import { WebSocket } from 'ws';
import type { Answer, EventPayload } from '../wire/events.ts';

/** Timeout in ms for opening a connection, and for the response to a request. */
export const patience = 10_000;

type Asked = { room: string; text?: string; clientId?: string };

/** A user's connection to the server, with the part of the protocol that a load test needs. */
export class Talker {
  isOpen = true;
  readonly #socket: WebSocket;
  /** Callbacks of unanswered requests, by ID. */
  readonly #asked = new Map<number, (outcome: string) => void>();
  #lastId = 0;

  private constructor(socket: WebSocket, onMessage: (clientId: string) => void) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const packet = String(data);
      if (packet === '2') socket.send('3');
      // 41: the session ended. 1: the server closes the connection.
      else if (packet === '41' || packet === '1') socket.terminate();
      else if (packet.startsWith('42["message:new"')) {
        const [, { clientId }] = JSON.parse(packet.slice(2)) as [string, EventPayload<'message:new'>];
        onMessage(clientId);
      } else if (packet.startsWith('43')) this.#answered(packet);
    });
    socket.on('close', () => this.#ended());
  }

  /**
   * Opens a connection and waits until the session is ready.
   * @param address the address of the chat server
   * @param onMessage called for each message in the rooms that this connection joins
   * @throws Error whose message is the error code
   */
  static async open(address: URL, cookie: string, onMessage: (clientId: string) => void): Promise<Talker> {
    const url = `${address.href.replace(/\/*$/, '').replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`;
    const socket = new WebSocket(url, {
      headers: { cookie, origin: address.origin },
      perMessageDeflate: false,
      handshakeTimeout: patience,
    });
    const opened = Promise.withResolvers<void>();
    const late = setTimeout(() => opened.reject(new Error('no answer')), patience);
    socket.on('error', ({ code, message }: NodeJS.ErrnoException) =>
      opened.reject(new Error(code ?? message)),
    );
    socket.on('close', () => opened.reject(new Error('closed')));
    socket.on('unexpected-response', (_request, response) => {
      opened.reject(new Error(response.statusCode === 429 ? 'rate_limited' : `HTTP ${response.statusCode}`));
    });
    const entered = (data: unknown) => {
      const packet = String(data);
      if (packet.startsWith('0{')) socket.send('40');
      else if (packet.startsWith('44')) opened.reject(new Error(JSON.parse(packet.slice(2)).message));
      else if (packet.startsWith('42["session:ready"')) opened.resolve();
    };
    socket.on('message', entered);
    const talker = new Talker(socket, onMessage);
    try {
      await opened.promise;
      return talker;
    } catch (error) {
      socket.terminate();
      throw error;
    } finally {
      clearTimeout(late);
      socket.off('message', entered);
    }
  }

  /**
   * Sends a request.
   * @returns `ok`, `held` if the message is pending approval, `closed` if the connection ends, or the error code
   */
  request(event: 'room:join' | 'message:send', asked: Asked): Promise<string> {
    if (!this.isOpen) return Promise.resolve('closed');
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#asked.set(id, resolve);
    this.#socket.send(`42${id}${JSON.stringify([event, asked])}`);
    return promise;
  }

  close(): void {
    this.#socket.terminate();
  }

  #answered(packet: string): void {
    const begin = packet.indexOf('[');
    const id = Number(packet.slice(2, begin));
    const [answer] = JSON.parse(packet.slice(begin)) as [Answer<object>];
    this.#asked.get(id)?.(answer.ok ? ('held' in answer.data ? 'held' : 'ok') : answer.error.code);
    this.#asked.delete(id);
  }

  #ended(): void {
    this.isOpen = false;
    for (const resolve of this.#asked.values()) resolve('closed');
    this.#asked.clear();
  }
}
