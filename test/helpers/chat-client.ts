import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import type {
  Answer,
  Answers,
  ClientToServer,
  ConnectFailure,
  EndReason,
  Message,
  RequestName,
  ServerToClient,
} from '../../server/wire/events.ts';
import { checkEvent, checkRequest } from './frames.ts';
import { hanging } from './hanging.ts';

export type ChatSocket = Socket<ServerToClient, ClientToServer>;
type Ready = Parameters<ServerToClient['session:ready']>[0];
/** The data of a response. Tests with this client use servers on which no message needs approval. */
export type Done<E extends RequestName> = E extends 'message:send' | 'message:edit'
  ? Extract<Answers[E], { message: unknown }>
  : Answers[E];
type Payload<E extends RequestName> = Parameters<ClientToServer[E]>[0];

export interface ChatClient {
  readonly socket: ChatSocket;
  readonly ready: Ready;
  /** All received events, in order, with their payloads. */
  readonly events: { name: string; payload: unknown }[];
  /** Sends a request and returns its data. An error response throws an Error whose message is the code. */
  request<E extends RequestName>(event: E, payload: Payload<E>): Promise<Done<E>>;
  /** Sends any event with any arguments. @returns the raw response */
  raw(event: string, ...args: unknown[]): Promise<Answer<unknown>>;
  /** The messages of `message:new` in the order of their arrival. */
  messages(): Message[];
  ended: Promise<{ reason: EndReason; at: number }>;
  disconnected: Promise<string>;
  close(): void;
}

export type ClientOptions = Partial<ManagerOptions & SocketOptions>;

/** Creates a socket that is not connected yet. By default it uses only WebSocket and does not reconnect. */
export function chatSocket(url: string, cookie: string | null, options: ClientOptions = {}): ChatSocket {
  return io(url, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    autoConnect: false,
    ...(cookie === null ? {} : { extraHeaders: { cookie } }),
    ...options,
  });
}

/** Connects and waits for `session:ready`. @throws ConnectRefused if the server rejects the connection */
export async function connectChat(
  url: string,
  cookie: string | null,
  options?: ClientOptions,
): Promise<ChatClient> {
  const socket = chatSocket(url, cookie, options);
  const events: ChatClient['events'] = [];
  socket.onAny((name: string, payload: unknown) => {
    checkEvent(name, payload);
    events.push({ name, payload });
  });
  const ended = new Promise<{ reason: EndReason; at: number }>((resolve) => {
    socket.on('session:ended', ({ reason }) => resolve({ reason, at: performance.now() }));
  });
  const { ready, disconnected } = await new Promise<Pick<ChatClient, 'ready' | 'disconnected'>>(
    (resolve, reject) => {
      // A busy server closes a connection that it has not accepted within five seconds. Clients then connect again.
      const again = () => void socket.connect();
      if (!socket.io.reconnection()) socket.on('disconnect', again);
      socket.once('session:ready', (ready) => {
        socket.off('disconnect', again);
        resolve({ ready, disconnected: new Promise((left) => socket.once('disconnect', left)) });
      });
      socket.once('connect_error', (error) => {
        socket.off('disconnect', again);
        socket.close();
        reject(new ConnectRefused(error.message, (error as { data?: ConnectFailure }).data));
      });
      socket.connect();
    },
  );
  const raw = async (event: string, ...args: unknown[]): Promise<Answer<unknown>> => {
    // Without this, the request would wait for a connection that never opens.
    if (!socket.connected && !(socket.active && socket.io.reconnection()))
      throw new Error(`${event} without a connection`);
    const answer = await (socket as unknown as Socket).timeout(hanging).emitWithAck(event, ...args);
    checkRequest(event, args[0], answer);
    return answer;
  };
  return {
    socket,
    ready,
    events,
    raw,
    async request(event, payload) {
      const answer = await raw(event, payload);
      if (!answer.ok) throw Object.assign(new Error(answer.error.code), { error: answer.error });
      return answer.data as Done<typeof event>;
    },
    messages: () =>
      events.filter(({ name }) => name === 'message:new').map(({ payload }) => payload as Message),
    ended,
    disconnected,
    close: () => void socket.close(),
  };
}

export class ConnectRefused extends Error {
  readonly data: ConnectFailure | undefined;

  constructor(message: string, data: ConnectFailure | undefined) {
    super(message);
    this.data = data;
  }
}

/** Returns the error of a connection that must be rejected. */
export async function refusalOf(connecting: Promise<ChatClient>): Promise<ConnectRefused> {
  try {
    (await connecting).close();
  } catch (error) {
    if (error instanceof ConnectRefused) return error;
    throw error;
  }
  throw new Error('the connection was accepted');
}

let counter = 0;
/** Returns a clientId that no other test uses. */
export const newClientId = () => `t-${process.pid}-${counter++}`;
