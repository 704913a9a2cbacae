import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, isAbsolute, relative, resolve } from 'node:path';
import type { Files } from '../files/files.ts';
import { deletedUser, type History, type NewMessage } from '../history/history.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { visibleLine } from '../text/blank.ts';
import { fieldsIn, pick } from '../wire/content.ts';
import { RequestError } from '../wire/errors.ts';
import type { ChosenFile } from '../wire/events.ts';
import type { Skipped } from './exported.ts';
import { type Line, LineProblem, lineFrom } from './lines.ts';
import { escapeText } from './markup.ts';

/** Maximum pending messages without files. The history stores many in one transaction. */
const atOnce = 200;
/** Messages per page when the existing messages of a room are read. */
const messagesRead = 500;
/** Members per write. */
const membersAtOnce = 500;
/** Longer texts are cut to this many characters. */
const mostText = 10_000;

export interface ImportOptions {
  history: Pick<History, 'read' | 'write' | 'probe'>;
  /** Undefined if files are off. */
  files: Pick<Files, 'add'> | undefined;
  /** The folder of the export's files. Files outside of it are not read, not even through symbolic links. */
  folder: string;
  /** Maximum size of an imported file, in bytes. */
  mostBytes: number;
  /** User IDs in this chat, by the IDs in the export. All other users get a generated ID. */
  users: ReadonlyMap<string, string>;
  /** Returns when a user of this chat was erased, in Unix ms. */
  erasedAt(user: string): number | undefined;
  onProgress(counts: Readonly<Counts>): void;
  /** Called for each record that is skipped, or imported only in part. */
  onSkipped(reason: Skipped['reason'], place: string): void;
  /** Whether invalid lines are skipped, as in exports of other chats. Otherwise the first one ends the import. */
  skipsInvalid: boolean;
}

export interface Counts {
  rooms: number;
  messages: number;
  /** Messages that an earlier run imported. */
  known: number;
  /** Skipped messages of users who were erased from this chat. */
  erased: number;
  files: number;
  /** Rooms to which this import adds no member. */
  empty: { id: string; name: string }[];
}

interface ImportedRoom {
  id: string;
  name: string;
  last: number;
  /** The `seq` of the room's messages, by the IDs in the export. */
  seqs: Map<string, number>;
  /** The `seq` of the messages that were in the room before this import, by `keyOf`. */
  known: ReadonlyMap<string, number>;
  /** The times of existing messages by erased authors, in Unix ms. */
  erased: ReadonlySet<number>;
  members: Map<string, { role: 'owner' | 'moderator' | 'member'; place: string }>;
}

type Message = Line & { type: 'message' };

const importedFields = fieldsIn('imported');

/**
 * Imports the messages of another chat into separate rooms. A repeated import skips existing rooms and messages, which
 * it recognises by their IDs in the export.
 * @throws CommandProblem naming the invalid line
 */
export async function importLines(
  lines: AsyncIterable<{ given: unknown; place: string }>,
  options: ImportOptions,
): Promise<Counts> {
  const run = new Import(options);
  for await (const { given, place } of lines) {
    try {
      await run.take(lineFrom(given, place), place);
    } catch (error) {
      if (!options.skipsInvalid || !(error instanceof LineProblem)) throw error;
      options.onSkipped('line', error.message);
    }
  }
  return run.end();
}

class Import {
  readonly #options: ImportOptions;
  readonly #rooms = new Map<string, ImportedRoom>();
  readonly #names = new Map<string, string>();
  /** The cached names of mapped users, by their IDs in this chat. */
  readonly #known = new Map<string, string>();
  readonly #counts: Counts = { rooms: 0, messages: 0, known: 0, erased: 0, empty: [], files: 0 };
  /** Messages whose transaction is not committed yet. Replies to them must wait for their `seq`. */
  #waiting: { message: Message; room: ImportedRoom; done: Promise<number> }[] = [];

  constructor(options: ImportOptions) {
    this.#options = options;
  }

  async take(line: Line, place: string): Promise<void> {
    if (line.type === 'user') return void this.#names.set(line.id, line.name);
    if (line.type === 'room') return this.#room(line, place);
    const room = this.#rooms.get(line.room);
    if (room === undefined)
      throw new LineProblem(place, `the room ${JSON.stringify(line.room)} is not created by an earlier line`);
    if (line.type === 'member') return void room.members.set(line.user, { role: line.role, place });
    if (line.at < room.last)
      throw new LineProblem(place, 'it is older than the previous message: sort the messages by time');
    room.last = line.at;
    await this.#message(line, room, place);
  }

  async end(): Promise<Counts> {
    await this.#settle();
    const at = Date.now();
    for (const { id, name, members } of this.#rooms.values()) {
      // Unmapped users do not become members, because another user might be able to log in with a generated ID.
      const here = [...members].filter(
        ([user]) => this.#options.users.has(user) && this.#erasedAt(user) === undefined,
      );
      for (const [user, { place }] of members)
        if (!this.#options.users.has(user)) this.#options.onSkipped('member', place);
      const users = await Promise.all(
        here.map(async ([user, { role }]) => ({ ...(await this.#user(user)), role })),
      );
      if (users.length === 0) this.#counts.empty.push({ id, name });
      for (let n = 0; n < users.length; n += membersAtOnce) {
        const some = users.slice(n, n + membersAtOnce);
        await this.#options.history.write.importMembers({ room: id, users: some, at });
      }
    }
    return this.#counts;
  }

  async #room({ id: given, kind, name, topic }: Line & { type: 'room' }, place: string): Promise<void> {
    await this.#settle();
    const id = `i-${digest(given).slice(0, 24)}`;
    const input = {
      id,
      kind,
      name,
      topic,
      at: Date.now(),
    };
    const there = await this.#options.history.write.importRoom(input).catch((error: unknown) => {
      if (!(error instanceof RequestError) || error.code !== 'conflict') throw error;
      throw wrong(place, `a public room ${JSON.stringify(name)} already exists: give this room another name`);
    });
    // Otherwise every user could read messages that were written in private.
    if (kind === 'private' && there.kind === 'public')
      throw wrong(
        place,
        `an earlier import made the room ${JSON.stringify(name)} public, and this import makes it private, so every user could read the new messages: add --public, or delete that room first`,
      );
    const before = await this.#knownIn(id);
    this.#rooms.set(given, { id, name, last: 0, seqs: new Map(), ...before, members: new Map() });
    this.#counts.rooms++;
  }

  /** Finds existing messages of a room, by all authors, because an earlier run may have mapped users differently. */
  async #knownIn(room: string): Promise<Pick<ImportedRoom, 'known' | 'erased'>> {
    const known = new Map<string, number>();
    const erased = new Set<number>();
    const all = { room, upTo: Number.MAX_SAFE_INTEGER, limit: messagesRead };
    for (let after = 0; ; ) {
      const { messages, complete } = await this.#options.history.read.after({ ...all, after });
      for (const message of messages) {
        // After an erasure, only the time still identifies an imported message.
        if (message.user.id === deletedUser.id) erased.add(message.sentAt);
        else known.set(keyOf(message), message.seq);
      }
      if (complete) return { known, erased };
      after = messages.at(-1)?.seq ?? after;
    }
  }

  /** Returns when a user of the export was erased here, under the mapped or the generated ID. */
  #erasedAt(given: string): number | undefined {
    const { users, erasedAt } = this.#options;
    const mapped = users.get(given);
    return (mapped === undefined ? undefined : erasedAt(mapped)) ?? erasedAt(importedId(given));
  }

  async #message(message: Message, room: ImportedRoom, place: string): Promise<void> {
    if (message.at <= (this.#erasedAt(message.user) ?? Number.NEGATIVE_INFINITY))
      return void this.#counts.erased++;
    const seq = room.known.get(keyOf({ clientId: clientIdOf(message), sentAt: message.at }));
    if (seq !== undefined) {
      room.seqs.set(message.id, seq);
      return void this.#counts.known++;
    }
    // An earlier run imported this message, and its author was erased. Only the time shows that, if `users` no longer
    // maps the author.
    if (room.erased.has(message.at)) return void this.#counts.erased++;
    const answers = message.replyTo !== undefined && !room.seqs.has(message.replyTo);
    if (answers || message.files !== undefined || this.#waiting.length >= atOnce) await this.#settle();
    const input = await this.#input(message, room, place);
    if (input === null) return this.#options.onSkipped('empty', place);
    const done = this.#options.history.write.importMessage(input).then(({ seq, repeated }) => {
      if (repeated) this.#counts.known++;
      else this.#counts.messages++;
      return seq;
    });
    // `#settle` awaits it. Until then, a rejection must not count as unhandled.
    done.catch(() => {});
    this.#waiting.push({ message, room, done });
  }

  /** Returns null for a message that has neither text nor files. */
  async #input(message: Message, room: ImportedRoom, place: string) {
    const { text, replyTo, files = [], ...content } = pick(message, importedFields);
    const user = await this.#user(message.user);
    const answered = replyTo === undefined ? undefined : room.seqs.get(replyTo);
    if (text.length > mostText) this.#options.onSkipped('cut', place);
    const input = {
      room: room.id,
      user,
      clientId: clientIdOf(message),
      sentAt: message.at,
      ...content,
      text: cleaned(text),
      replyTo: answered,
    };
    if (files.length > 0 && (await this.#options.history.probe.importMessage(input)) === null) {
      const chosen = await this.#upload(files, room, user.id);
      if (chosen.length > 0) return { ...input, files: chosen };
    }
    if (input.text.trim() !== '') return input;
    // The file names become the text of a message that has neither a text nor an imported file.
    return files.length === 0 ? null : { ...input, text: cleaned(escapeText(files.map(nameOf).join(', '))) };
  }

  async #upload(
    files: NonNullable<Message['files']>,
    { id: room }: ImportedRoom,
    user: string,
  ): Promise<ChosenFile[]> {
    const chosen: ChosenFile[] = [];
    for (const one of files) {
      const file = await this.#add(one.path, { room, user, name: nameOf(one) });
      if ('reason' in file) this.#options.onSkipped(file.reason, one.path);
      else {
        this.#counts.files++;
        chosen.push(file);
      }
    }
    return chosen;
  }

  async #add(
    path: string,
    about: { room: string; user: string; name: string },
  ): Promise<ChosenFile | Pick<Skipped, 'reason'>> {
    const { files, folder, mostBytes } = this.#options;
    const from = await realpath(resolve(folder, path)).catch(() => null);
    if (files === undefined || from === null) return { reason: 'fileMissing' };
    const inside = relative(await realpath(folder), from);
    if (inside.startsWith('..') || isAbsolute(inside)) return { reason: 'fileMissing' };
    const found = await stat(from);
    if (!found.isFile()) return { reason: 'fileMissing' };
    if (found.size > mostBytes) return { reason: 'fileSize' };
    const added = await files.add({ ...about, length: found.size, bytes: createReadStream(from) });
    if (!('code' in added)) return { id: added.id };
    return { reason: added.code === 'too_large' ? 'fileSize' : 'fileType' };
  }

  /** Waits until the pending messages are stored. */
  async #settle(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { message, room, done } of waiting) room.seqs.set(message.id, await done);
    if (waiting.length > 0) this.#options.onProgress(this.#counts);
  }

  /** Returns the ID and the name of an author. Mapped users keep the names that they have in this chat. */
  async #user(given: string): Promise<{ id: string; name: string }> {
    const mapped = this.#options.users.get(given);
    const id = mapped ?? importedId(given);
    const name = shownName(this.#names.get(given) ?? given);
    if (mapped === undefined) return { id, name };
    let known = this.#known.get(id);
    if (known === undefined) {
      const [stored] = await this.#options.history.read.users({ ids: [id] });
      known = stored?.name ?? name;
      this.#known.set(id, known);
    }
    return { id, name: known };
  }
}

const nameOf = ({ path, name = basename(path) }: { path: string; name?: string | undefined }) => name;

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

const clientIdOf = ({ id }: Message) => `i-${digest(id).slice(0, 40)}`;

/**
 * Returns a key that contains the time. Clients cannot choose the time, so a message sent by a user never matches an
 * imported one.
 */
const keyOf = ({ clientId, sentAt }: Pick<NewMessage, 'clientId' | 'sentAt'>) => `${sentAt} ${clientId}`;

/**
 * Returns the ID for an unmapped user. It is a digest of the ID in the export, because a site may let its users choose
 * their IDs.
 */
const importedId = (given: string) => `import-${digest(given).slice(0, 40)}`;

const shownName = (name: string) => visibleLine(name, 64).trim() || 'Somebody';

/** Removes characters that a message must not contain, and cuts the text. */
function cleaned(text: string): string {
  const shown = text
    .toWellFormed()
    .replaceAll('\r\n', '\n')
    .replaceAll(/(?![\t\n\x7f-\x9f])\p{Cc}/gu, '');
  return shown.length <= mostText ? shown : [...shown].slice(0, mostText).join('');
}

function wrong(place: string, what: string): CommandProblem {
  return new CommandProblem(exit.data, `${place}: ${what}`);
}
