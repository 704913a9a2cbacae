import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { io, type Socket } from 'socket.io-client';
import { hue } from '../../server/wire/avatar.ts';
import type { Answer, RequestName } from '../../server/wire/events.ts';
import type { Done } from '../helpers/chat-client.ts';
import { type ChatServer, emptyHistory, nextChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { startPhpApp } from '../helpers/php-app.ts';
import { people, type RoomScript, when } from './mock-script.ts';

const folder = join(import.meta.dirname, 'mock');

/** A person of the mock: an id with the hue of the picture, and a session. */
export interface Someone {
  readonly id: number | string;
  readonly name: string;
  readonly session: string;
  readonly socket: Socket;
}

/** The site of the pictures: real servers whose users have written the messages of the pictures, at their times. */
export class MockWorld {
  readonly #closing: (() => unknown)[] = [];
  readonly people = new Map<string, Someone>();
  /** The ids of the rooms, by their key in the script. */
  readonly rooms = new Map<string, string>();
  readonly #pages = new Map<string, string>();
  /** How the typing of each user in a room ends. */
  readonly #typing = new Map<string, () => Promise<void>>();
  memcached!: Memcached;
  chat!: ChatServer;
  php!: { readonly chatPage: string };
  /** The address of the mock's own pages. */
  url!: string;

  /**
   * @param site the room that exists from the start, as in CHAT_ROOMS
   */
  static async start(scripts: Readonly<Record<string, RoomScript>>, site: string): Promise<MockWorld> {
    const world = new MockWorld();
    await world.#start(scripts, site);
    return world;
  }

  async stop(): Promise<void> {
    for (const { socket } of this.people.values()) socket.disconnect();
    for (const close of this.#closing.reverse()) await close();
  }

  async as<E extends RequestName>(who: string, name: E, payload: unknown): Promise<Done<E>> {
    if (!this.someone(who).socket.connected) await this.connect(who);
    const answer: Answer<never> = await this.someone(who).socket.timeout(10_000).emitWithAck(name, payload);
    if (!answer.ok) throw new Error(`${who} ${name}: ${answer.error.code} ${answer.error.message}`);
    return answer.data;
  }

  someone(key: string): Someone {
    const found = this.people.get(key);
    if (found === undefined) throw new Error(`nobody is called ${key}`);
    return found;
  }

  room(key: string): string {
    return this.rooms.get(key) ?? '';
  }

  /** Logs that person in once more. @returns the id of the session */
  async login(key: string): Promise<string> {
    const session = randomBytes(16).toString('hex');
    await this.#write(session, key);
    return session;
  }

  /** Writes a session like the site. */
  async #write(session: string, key: string): Promise<void> {
    const { id, name } = this.someone(key);
    const record = JSON.stringify({ user_id: id, firstname: people[key]?.firstname ?? name, name });
    await this.memcached.set(`sessions/${session}`, record);
  }

  /** The mock's page with the real element in place of its `index`th one; the places of the others stay empty. */
  page(name: string, index: number, attributes: string, tag = 'php-chat'): string {
    let at = 0;
    const html = readFileSync(join(folder, `${name}.html`), 'utf8')
      .replace(new RegExp(`<${tag}( [^>]*)?>[\\s\\S]*?</${tag}>`, 'gu'), (_all, given: string) => {
        const kept = given.replace(/ (server|room|full)(="[^"]*")?/gu, '');
        return at++ === index
          ? `<${tag} server="${this.chat.url}"${kept} ${attributes}></${tag}>`
          : `<div${kept}></div>`;
      })
      .replace(
        /<php-chat-badge[\s\S]*?<\/php-chat-badge>/gu,
        `<php-chat-badge server="${this.chat.url}"></php-chat-badge>`,
      )
      .replace(
        '</head>',
        `<style>.cell > div[class^=h] { block-size: var(--pc-height) }</style>
        <script type="module" src="${this.chat.url}/php-chat.js"></script></head>`,
      );
    const path = `real/${name}-${index}-${this.#pages.size}.html`;
    this.#pages.set(path, html);
    return `${this.url}/${path}`;
  }

  /** Somebody writes in that room until `rest`: a picture may take longer than a client shows it without a repeat. */
  async type(who: string, key: string): Promise<void> {
    const set = (typing: boolean) => this.as(who, 'typing:set', { room: this.room(key), typing });
    const name = `${who} ${key}`;
    await this.as(who, 'room:join', { room: this.room(key) });
    await set(true);
    if (this.#typing.has(name)) return;
    // The next one makes up for one that fails.
    const again = setInterval(() => set(true).catch(() => {}), 1000);
    this.#typing.set(name, async () => {
      clearInterval(again);
      await set(false);
    });
  }

  /** Nobody writes any more. */
  async rest(): Promise<void> {
    const ends = [...this.#typing.values()];
    this.#typing.clear();
    await Promise.all(ends.map((end) => end()));
  }

  async connect(...keys: string[]): Promise<void> {
    await Promise.all(
      keys.map((key) => {
        const { socket } = this.someone(key);
        return new Promise((resolve, reject) => {
          socket.once('session:ready', resolve).once('connect_error', reject).connect();
        });
      }),
    );
  }

  async #start(scripts: Readonly<Record<string, RoomScript>>, site: string): Promise<void> {
    const memcached = await startMemcached();
    this.memcached = memcached;
    this.#closing.push(() => memcached.stop());
    const history = await emptyHistory();
    this.#closing.push(() => history.remove());
    const [phpPort, chatPort] = [await ownPort(), await ownPort()];
    const pages = createServer((request, response) => {
      const path = (request.url ?? '/').slice(1).replace(/^real\/(?=.*\.(css|svg))/, '');
      const held = this.#pages.get(path);
      const file = join(folder, path);
      if (held === undefined && !existsSync(file)) return void response.writeHead(404).end();
      const types: Record<string, string> = { css: 'text/css', svg: 'image/svg+xml' };
      response.setHeader('Content-Type', types[path.split('.').at(-1) ?? ''] ?? 'text/html; charset=utf-8');
      response.end(held ?? readFileSync(file));
    });
    await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
    this.#closing.push(() => {
      pages.close();
      pages.closeAllConnections();
    });
    const start = async () => {
      this.chat = await nextChatServer({
        CHAT_PORT: String(chatPort),
        CHAT_ORIGINS: `http://127.0.0.1:${phpPort},${this.url}`,
        CHAT_SESSION_STORE: memcached.url,
        CHAT_HISTORY: history.url,
        CHAT_FILES: history.files,
        CHAT_ROOMS: site,
        CHAT_CREATE_ROOMS: 'all',
        CHAT_FIND_PEOPLE: 'rooms',
        CHAT_USER_NAME: 'name',
        CHAT_USER_ROLES: 'role',
        CHAT_USER_URL: '/people/{id}',
        CHAT_LOGIN_URL: `http://127.0.0.1:${phpPort}/`,
      });
    };
    await start();
    this.#closing.push(() => this.chat.stop());
    const php = await startPhpApp({ memcachedPort: memcached.port, chatUrl: this.chat.url, port: phpPort });
    this.#closing.push(() => php.stop());
    this.php = php;

    const taken = new Set<string>();
    for (const [key, { name, hue: wanted, id: beginning = '' }] of Object.entries(people)) {
      let number = 11;
      const idOf = () => `${beginning}${number}`;
      while (taken.has(idOf()) || hue(idOf()) !== `h${wanted}`) number += 1;
      const id = beginning === '' ? number : idOf();
      taken.add(idOf());
      const session = Buffer.from(key.padEnd(16, '.')).toString('hex');
      const socket = io(this.chat.url, {
        transports: ['websocket'],
        extraHeaders: { cookie: `PHPSESSID=${session}` },
        autoConnect: false,
        reconnection: false,
      });
      this.people.set(key, { id, name, session, socket });
      await this.#write(session, key);
    }
    await this.connect(...Object.keys(people));
    const changes: { room: string; seq: number; sentAt: number; editedAt: number | null }[] = [];
    await Promise.all(
      Object.entries(scripts).map(async ([key, script]) => {
        const room = await this.#make(key, script);
        this.rooms.set(key, room);
        for (const who of new Set(script.lines.map(([author]) => author)))
          await this.as(who, 'room:join', { room });
        let seq = 0;
        for (const [who, time, text, more = {}] of script.lines) {
          seq += 1;
          const { reply: replyTo, edited } = more;
          await this.as(who, 'message:send', {
            room,
            clientId: `${key.replace('/', '-')}-${seq}`,
            text: edited === undefined ? text : `${text} …`,
            ...(replyTo === undefined ? {} : { replyTo }),
          });
          if (edited !== undefined) await this.as(who, 'message:edit', { room, seq, text });
          changes.push({
            room,
            seq,
            sentAt: when(time),
            editedAt: edited === undefined ? null : when(edited),
          });
        }
        for (const [who, read] of Object.entries(script.read ?? {}))
          if (read > 0) await this.as(who, 'read:mark', { room, seq: read });
        for (const who of script.muted ?? []) await this.as(who, 'room:notify', { room, notify: 'none' });
      }),
    );
    for (const { socket } of this.people.values()) socket.disconnect();
    // The server sets its own times, so those of the pictures are written into the database.
    await this.chat.stop();
    const database = new DatabaseSync(history.path);
    const update = database.prepare(
      'UPDATE chat_messages SET sent_at = ?, edited_at = ? WHERE seq = ? AND room = (SELECT num FROM chat_rooms WHERE id = ?)',
    );
    database.exec('BEGIN');
    for (const { room, seq, sentAt, editedAt } of changes) update.run(sentAt, editedAt, seq, room);
    // The design's pages are older than the faces of those who have seen a message.
    database.exec("UPDATE chat_rooms SET seen = 'off' WHERE kind <> 'direct'");
    database.exec('COMMIT');
    database.close();
    await start();
    await this.connect(...Object.keys(people).filter((key) => people[key]?.here === true));
  }

  async #make(
    key: string,
    { site, name, kind, topic, owner, members, moderators = [] }: RoomScript,
  ): Promise<string> {
    const ids = members.map((member) => String(this.someone(member).id));
    if (kind === 'direct') {
      const [other = ''] = members;
      await this.as(other, 'direct:open', { user: String(this.someone(owner).id) });
      return (await this.as(owner, 'direct:open', { user: ids[0] })).room.id;
    }
    if (site !== undefined) {
      for (const who of [owner, ...members]) await this.as(who, 'room:join', { room: site });
      return site;
    }
    const payload = {
      name,
      kind,
      members: kind === 'private' ? ids : undefined,
      topic,
      clientId: `make-${key.replace('/', '-')}`,
    };
    const { room } = await this.as(owner, 'room:create', payload);
    if (kind === 'public')
      await Promise.all(members.map((who) => this.as(who, 'room:join', { room: room.id })));
    for (const who of moderators)
      await this.as(owner, 'room:role', {
        room: room.id,
        user: String(this.someone(who).id),
        role: 'moderator',
      });
    return room.id;
  }
}
