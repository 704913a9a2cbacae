import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Change, History } from '../history/history.ts';
import { RequestError } from '../wire/errors.ts';
import type { MessageFile } from '../wire/events.ts';
import { Examiner } from './examiner.ts';
import type { Media } from './media.ts';
import { fileName } from './name.ts';
import { openStorage } from './open.ts';
import type { FilesPlace } from './place.ts';
import type { Opened, Storage } from './storage.ts';

/** Files that are deleted in one step, before the history forgets them. */
const mostAtOnce = 100;
/** Milliseconds between two searches for files without a message. */
const sweepEvery = 60_000;
/** Milliseconds after a deletion until the search for the files that were left over. */
const sweepAgainAfter = 5000;
/** Bytes after which an upload is synced, because messages would wait behind many unsynced bytes. */
const syncEvery = 1024 * 1024;
/** A picture and its preview may take this many times the uploaded bytes. */
const madeOf = 2;

export interface Upload {
  room: string;
  user: string;
  /** As the uploader calls it. */
  name: string;
  /** Bytes. */
  length: number;
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>;
  /** It is a picture, of which only a small one is stored: pixels of its longer side. */
  side?: number;
  /** It is a voice message, with these loudnesses: nothing but sound is accepted. */
  peaks?: string;
  /** Aborted when nobody waits for the upload any more. */
  signal?: AbortSignal;
  /**
   * Rejects if the user may no longer upload it. It is called once all bytes are there, which may be long after the
   * start.
   */
  check?: () => Promise<void>;
}

export interface Added {
  file: MessageFile;
  /** Bytes that are stored for it: a picture is re-encoded, and has a preview. */
  stored: number;
}

const previewOf = (id: string) => `${id}.preview`;

/** The files that users upload, from the first byte until the last one is deleted. */
export class Files {
  readonly #place: Exclude<FilesPlace, { kind: 'off' }>;
  readonly #types: readonly string[];
  readonly #orphans: number;
  readonly #history: History;
  readonly #onFailure: (error: Error) => void;
  readonly #examiner = new Examiner();
  #storage: Promise<Storage> | undefined;
  #sweeping: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout;
  #soon: NodeJS.Timeout | undefined;
  #closed = false;
  /** Uploads under way, by user. */
  readonly #uploads = new Map<string, Set<AbortController>>();

  /**
   * @param options.orphans milliseconds for which a file may exist without a message
   * @param options.onFailure called when the storage fails
   */
  constructor(options: {
    place: Exclude<FilesPlace, { kind: 'off' }>;
    types: readonly string[];
    orphans: number;
    history: History;
    onFailure: (error: Error) => void;
  }) {
    this.#place = options.place;
    this.#types = options.types;
    this.#orphans = options.orphans;
    this.#history = options.history;
    this.#onFailure = options.onFailure;
    this.#timer = setInterval(() => this.sweep(), Math.min(sweepEvery, options.orphans)).unref();
    this.#history.onChange((change) => {
      if (leavesFiles(change)) this.sweep();
      if (change.type !== 'erased') return;
      const reason = new RequestError('forbidden', 'the user was erased meanwhile');
      for (const one of this.#uploads.get(change.user) ?? []) one.abort(reason);
    });
  }

  /**
   * Stores a file, and resolves when it can be sent with a message.
   * @returns `unusable` if its type is not accepted, or it cannot be decoded as that type
   * @throws RequestError `storage_full`, `storage_unavailable`, `unknown_room`, `forbidden` (the user was erased
   * meanwhile), `rate_limited` (the file waits too long for others)
   * @throws the reason of `signal`; the error of `check`
   */
  async add(upload: Upload): Promise<Added | 'unusable'> {
    const { room, user, name, length, bytes, side, peaks, signal, check } = upload;
    const storage = await this.#opened();
    const folder = await storage.work().catch((error: Error) => this.#fail(error));
    const hasRoomFor = (size: number) => storage.hasRoomFor(size).catch((error: Error) => this.#fail(error));
    if (!(await hasRoomFor(length * (1 + madeOf)))) throw new RequestError('storage_full');
    const id = randomBytes(16).toString('hex');
    const path = join(folder, id);
    const erased = this.#begun(user);
    const ended = signal === undefined ? erased.signal : AbortSignal.any([erased.signal, signal]);
    try {
      await this.#receive(bytes, path, ended);
      const found = await this.#examiner
        .examine(
          user,
          side === undefined ? { path, types: this.#types } : { path, types: ['image/*'], side },
          ended,
        )
        .catch((error: Error) => (ended.aborted ? Promise.reject(error) : this.#fail(error)));
      if ('refused' in found) return 'unusable';
      if ('failed' in found) {
        if (isFull(found.failed) || !(await hasRoomFor(0))) throw new RequestError('storage_full');
        return 'unusable';
      }
      const { type, made, media } = found;
      if (peaks !== undefined && (media === undefined || media.shown !== undefined)) return 'unusable';
      const file: MessageFile = {
        id,
        name: fileName(name),
        type,
        size: made?.size ?? length,
        ...(made === undefined ? {} : { image: { width: made.width, height: made.height, blur: made.blur } }),
        ...(media === undefined ? {} : playedAs(media, peaks)),
      };
      await check?.();
      ended.throwIfAborted();
      // Before its bytes are stored: bytes of an unknown file would stay for ever.
      await this.#history.write.addFile({ room, user, file, at: Date.now() });
      await this.#keep(storage, id, made ?? { path });
      // A deletion of the user's or the room's files may have run before these bytes were there.
      if (ended.aborted || (await this.#history.read.file({ id, user })) === null) {
        await this.#delete(storage, id).catch((error: Error) => this.#fail(error));
        await this.#history.write.forgetFiles({ ids: [id] });
        ended.throwIfAborted();
        throw new RequestError('unknown_room');
      }
      return { file, stored: made === undefined ? length : made.size + (made.preview?.size ?? 0) };
    } finally {
      this.#ended(user, erased);
      for (const one of [path, `${path}.made`, `${path}.preview`]) {
        // A file that could not be removed is deleted later; the answer does not depend on it.
        await rm(one, { force: true }).catch(this.#onFailure);
      }
    }
  }

  /** @param part only this part of the file; null if there is no such file */
  async open(
    id: string,
    what: 'file' | 'preview',
    part?: { start: number; end: number },
  ): Promise<Opened | null> {
    const storage = await this.#opened();
    try {
      return await storage.open(what === 'file' ? id : previewOf(id), part);
    } catch (error) {
      return this.#fail(error as Error);
    }
  }

  /** Rejects if files cannot be stored. */
  async check(): Promise<void> {
    await (await this.#opened()).check();
  }

  /** Deletes files that no message carries any more, or for too long; one run at a time, however often it is called. */
  sweep(): void {
    this.#again = true;
    this.#sweeping ??= this.#sweepAll()
      .catch(this.#onFailure)
      .finally(() => {
        this.#sweeping = undefined;
      });
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#examiner.close();
    await this.#sweeping;
  }

  #begun(user: string): AbortController {
    const uploads = this.#uploads.get(user) ?? new Set();
    const upload = new AbortController();
    this.#uploads.set(user, uploads.add(upload));
    return upload;
  }

  #ended(user: string, upload: AbortController): void {
    const uploads = this.#uploads.get(user);
    uploads?.delete(upload);
    if (uploads?.size === 0) this.#uploads.delete(user);
  }

  #opened(): Promise<Storage> {
    const opened = this.#storage ?? openStorage(this.#place);
    this.#storage = opened;
    // The next call tries again.
    opened.catch(() => {
      if (this.#storage === opened) this.#storage = undefined;
    });
    return opened;
  }

  /** Reads the next piece only when the last one is on its way to the disk, so memory is bounded. */
  async #receive(bytes: Upload['bytes'], path: string, signal: AbortSignal): Promise<void> {
    const file = await open(path, 'wx', 0o600).catch((error: Error) => this.#fail(error));
    try {
      let unsynced = 0;
      for await (const piece of bytes) {
        signal.throwIfAborted();
        await write(file, piece).catch((error: Error) => this.#fail(error));
        unsynced += piece.length;
        if (unsynced < syncEvery) continue;
        unsynced = 0;
        await file.datasync().catch((error: Error) => this.#fail(error));
      }
    } finally {
      await file.close().catch((error: Error) => this.#fail(error));
    }
  }

  async #keep(
    storage: Storage,
    id: string,
    made: { path: string; preview?: { path: string } },
  ): Promise<void> {
    try {
      if (made.preview !== undefined) await storage.put(previewOf(id), made.preview.path);
      await storage.put(id, made.path);
    } catch (error) {
      // The partial bytes are deleted with their entry later.
      this.#fail(error as Error);
    }
  }

  async #delete(storage: Storage, id: string): Promise<void> {
    await storage.delete(previewOf(id));
    await storage.delete(id);
  }

  #fail(error: Error): never {
    if (error instanceof RequestError) throw error;
    if (isFull((error as NodeJS.ErrnoException).code)) throw new RequestError('storage_full');
    this.#onFailure(error);
    throw new RequestError('storage_unavailable', undefined, { cause: error });
  }

  async #sweepAll(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      const before = Date.now() - this.#orphans;
      const { ids, stored } = await this.#history.write.dropFiles({ before, most: mostAtOnce });
      if (ids.length === 0) continue;
      const storage = await this.#opened();
      // Looked up after the history has dropped them: a copy of it that is made from here on names none of them.
      if (await storage.isCopied()) return;
      for (const id of stored) await this.#delete(storage, id);
      await this.#history.write.forgetFiles({ ids });
      this.#again = ids.length === mostAtOnce;
      this.#soon ??= setTimeout(() => {
        this.#soon = undefined;
        this.sweep();
      }, sweepAgainAfter).unref();
    }
    // Not only at the start: a server usually starts again at once, when no leftover is a day old yet.
    await (await this.#opened()).tidy();
  }
}

/** How a message shows sound or video. */
function playedAs(
  { duration, shown }: Media,
  peaks: string | undefined,
): Pick<MessageFile, 'audio' | 'video'> {
  const known = duration === undefined ? {} : { duration };
  if (shown !== undefined) return { video: { ...shown, ...known } };
  return { audio: { ...known, ...(peaks === undefined ? {} : { peaks }) } };
}

async function write(file: FileHandle, piece: Buffer): Promise<void> {
  for (let written = 0; written < piece.length; ) {
    written += (await file.write(piece, written)).bytesWritten;
  }
}

const isFull = (code: string | undefined) => code === 'ENOSPC' || code === 'EDQUOT';

/** Whether the change may leave files without an owner. */
function leavesFiles(change: Change): boolean {
  if (change.type === 'message') return change.is === 'changed' && change.message.deletedAt !== undefined;
  if (change.type === 'erased') return true;
  return change.type === 'room' && change.is !== 'new';
}
