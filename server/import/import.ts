import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, isAbsolute, relative, resolve } from 'node:path';
import type { Files } from '../files/files.ts';
import { deletedUser, type History, type NewMessage } from '../history/history.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { visibleLine } from '../wire/blank.ts';
import { RequestError } from '../wire/errors.ts';
import type { ChosenFile } from '../wire/events.ts';
import type { Skipped } from './exported.ts';
import { type Line, LineProblem, lineFrom } from './lines.ts';

/** Messages without files that are stored at once: a transaction holds many. */
const atOnce = 200;
/** Messages that are read at once. */
const messagesRead = 500;
/** Members that are added at once. */
const membersAtOnce = 500;
/** Characters of a message that is imported: longer ones are cut. */
const mostText = 10_000;

export interface ImportOptions {
  history: Pick<History, 'read' | 'write' | 'probe'>;
  /** Absent: files are left out. */
  files: Pick<Files, 'add'> | undefined;
  /** The folder of local files. Nothing outside of it is read, by no link either. */
  folder: string;
  /** Bytes of a file. */
  mostBytes: number;
  /** The ids of people here, by their ids in the export. Others get an id of their own. */
  users: ReadonlyMap<string, string>;
  /** When a user of the history was erased, in milliseconds of the epoch. */
  erasedAt(user: string): number | undefined;
  onProgress(counts: Readonly<Counts>): void;
  /** Called for everything that is not imported. */
  onSkipped(reason: Skipped['reason'], place: string): void;
  /** Whether a line that is not valid is skipped, as in the export of another program. Otherwise it ends the import. */
  skipsInvalid: boolean;
}

export interface Counts {
  rooms: number;
  messages: number;
  /** Messages that an earlier run has imported. */
  known: number;
  /** Messages of people who were erased since, which are left out. */
  erased: number;
  files: number;
  /** Rooms of whose members the export names nobody of the site. */
  empty: { id: string; name: string }[];
}

interface ImportedRoom {
  id: string;
  name: string;
  last: number;
  /** The numbers of its messages, by their ids in the export. */
  seqs: Map<string, number>;
  /** The numbers of those that were there before, by `keyOf`. */
  known: ReadonlyMap<string, number>;
  /** The times of those whose authors were erased. */
  erased: ReadonlySet<number>;
  members: Map<string, { role: 'owner' | 'moderator' | 'member'; place: string }>;
}

type Message = Line & { type: 'message' };

/**
 * Imports what another chat has exported, into rooms of its own. Done again, it goes on where it stopped, and doubles
 * nothing: rooms and messages are known by the ids that they have in the export.
 * @throws CommandProblem naming the line that is wrong
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
  /** The people here whose names are known. */
  readonly #known = new Map<string, string>();
  readonly #counts: Counts = { rooms: 0, messages: 0, known: 0, erased: 0, empty: [], files: 0 };
  /** They wait for their transaction; answers to them have to come after it. */
  #waiting: { message: Message; room: ImportedRoom; done: Promise<number> }[] = [];

  constructor(options: ImportOptions) {
    this.#options = options;
  }

  async take(line: Line, place: string): Promise<void> {
    if (line.type === 'user') return void this.#names.set(line.id, line.name);
    if (line.type === 'room') return this.#room(line, place);
    const room = this.#rooms.get(line.room);
    if (room === undefined)
      throw new LineProblem(place, `the room ${JSON.stringify(line.room)} has no line before this one`);
    if (line.type === 'member') return void room.members.set(line.user, { role: line.role, place });
    if (line.at < room.last)
      throw new LineProblem(place, 'it is older than the message before it: sort them by time');
    room.last = line.at;
    await this.#message(line, room, place);
  }

  async end(): Promise<Counts> {
    await this.#settle();
    const at = Date.now();
    for (const { id, name, members } of this.#rooms.values()) {
      // Others get no membership: perhaps somebody else may log in with their id.
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
      ...(topic === undefined ? {} : { topic }),
      at: Date.now(),
    };
    const there = await this.#options.history.write.importRoom(input).catch((error: unknown) => {
      if (!(error instanceof RequestError) || error.code !== 'conflict') throw error;
      throw wrong(
        place,
        `there is a public room ${JSON.stringify(name)} already: give this one another name`,
      );
    });
    // Everybody would read what was written in private.
    if (kind === 'private' && there.kind === 'public')
      throw wrong(
        place,
        `the room ${JSON.stringify(name)} is public here by an earlier import, and private in this one, and every user could read what is added: give --public if that was forgotten, or delete that room first`,
      );
    const before = await this.#knownIn(id);
    this.#rooms.set(given, { id, name, last: 0, seqs: new Map(), ...before, members: new Map() });
    this.#counts.rooms++;
  }

  /** The messages of a room, whoever their authors are: `users` may have named others before. */
  async #knownIn(room: string): Promise<Pick<ImportedRoom, 'known' | 'erased'>> {
    const known = new Map<string, number>();
    const erased = new Set<number>();
    const all = { room, upTo: Number.MAX_SAFE_INTEGER, limit: messagesRead };
    for (let after = 0; ; ) {
      const { messages, complete } = await this.#options.history.read.after({ ...all, after });
      for (const message of messages) {
        // An erasure leaves nothing of an imported message to know it by, except its time.
        if (message.user.id === deletedUser.id) erased.add(message.sentAt);
        else known.set(keyOf(message), message.seq);
      }
      if (complete) return { known, erased };
      after = messages.at(-1)?.seq ?? after;
    }
  }

  /** When somebody of the export was erased here, under either of the ids that the messages may have had. */
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
    // The users that are given now may leave out whoever was erased.
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
    // It is awaited with the others.
    done.catch(() => {});
    this.#waiting.push({ message, room, done });
  }

  /** Null for a message of which nothing is left. */
  async #input(message: Message, room: ImportedRoom, place: string) {
    const { user: author, text, at, replyTo, files = [] } = message;
    const user = await this.#user(author);
    const answered = replyTo === undefined ? undefined : room.seqs.get(replyTo);
    if (text.length > mostText) this.#options.onSkipped('cut', place);
    const input = {
      room: room.id,
      user,
      clientId: clientIdOf(message),
      text: cleaned(text),
      sentAt: at,
      ...(answered === undefined ? {} : { replyTo: answered }),
    };
    if (files.length > 0 && (await this.#options.history.probe.importMessage(input)) === null) {
      const chosen = await this.#upload(files, room, user.id);
      if (chosen.length > 0) return { ...input, files: chosen };
    }
    if (input.text.trim() !== '') return input;
    // Of files that are lost the names are left.
    return files.length === 0 ? null : { ...input, text: cleaned(files.map(nameOf).join(', ')) };
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

  /** Waits for the messages that are on their way. */
  async #settle(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { message, room, done } of waiting) room.seqs.set(message.id, await done);
    if (waiting.length > 0) this.#options.onProgress(this.#counts);
  }

  /** People here keep their names. */
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

/** With its time, which no client can give: a message that a user has sent is never taken for an imported one. */
const keyOf = ({ clientId, sentAt }: Pick<NewMessage, 'clientId' | 'sentAt'>) => `${sentAt} ${clientId}`;

/** Not the id or the name that somebody has in the export: a site may let people choose theirs. */
const importedId = (given: string) => `import-${digest(given).slice(0, 40)}`;

const shownName = (name: string) => visibleLine(name, 64).trim() || 'Somebody';

/** Without what no message can hold. */
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
