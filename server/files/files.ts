import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Change, History } from '../history/history.ts';
import type { Charge, FileBudget } from '../limits/file-budget.ts';
import { RequestError } from '../wire/errors.ts';
import type { MessageFile } from '../wire/events.ts';
import { Examiner, type MadePicture } from './examiner.ts';
import type { Media } from './media.ts';
import { fileName } from './name.ts';
import { openStorage } from './open.ts';
import type { FilesPlace } from './place.ts';
import type { Opened, Storage } from './storage.ts';
import type { Reservation } from './work-folder.ts';

/** Maximum files per batch of a sweep. The history forgets them after their bytes are deleted. */
const mostAtOnce = 100;
/** Maximum ms between two sweeps for orphaned files. */
const sweepEvery = 60_000;
/** Delay in ms from a deletion to another sweep, for files that the first sweep left. */
const sweepAgainAfter = 5000;
/** An upload is synced after this many bytes, because writes of messages would wait behind many unsynced bytes. */
const syncEvery = 1024 * 1024;

export interface Upload {
  room: string;
  user: string;
  /** The uploader's name for the file. */
  name: string;
  /** In bytes. */
  length: number;
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>;
  /** Pixels of the longer side. If set, only pictures are accepted, and only a small copy is stored. */
  side?: number;
  /** The file is the picture of the room. Only pictures are accepted, and only a small copy is stored. */
  isPicture?: true;
  /** The loudness of a voice message. If set, only sound is accepted. */
  peaks?: string;
  /** Aborted when the uploading client disconnects. */
  signal?: AbortSignal;
  /**
   * Rejects if the user may no longer upload the file. Called when the file is received and examined, which may be long
   * after the start.
   */
  check?: () => Promise<void>;
}

/** Why a file is not stored. `too_large`: the re-encoded picture exceeds CHAT_LIMIT_FILE. */
export interface Unusable {
  code: 'file_type' | 'file_limit' | 'file_damaged' | 'too_large';
  /** A message for the sender. */
  words?: string;
}

/** Pixels of the longer side of a room's picture, three times its largest displayed size. */
const roomPictureSide = 256;

const previewOf = (id: string) => `${id}.preview`;

/** Receives, stores and deletes the files of users. */
export class Files {
  readonly #place: Exclude<FilesPlace, { kind: 'off' }>;
  readonly #types: readonly string[];
  readonly #maxBytes: number;
  readonly #budget: FileBudget | undefined;
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
  /** Uploads in progress, by user. */
  readonly #uploads = new Map<string, Set<AbortController>>();

  /**
   * @param options.maxBytes maximum size of a stored file, in bytes
   * @param options.budget without it, users have no limit
   * @param options.orphans how long a file may exist without a message, in ms
   * @param options.onFailure called when the storage fails
   */
  constructor(options: {
    place: Exclude<FilesPlace, { kind: 'off' }>;
    types: readonly string[];
    maxBytes: number;
    budget?: FileBudget;
    orphans: number;
    history: History;
    onFailure: (error: Error) => void;
  }) {
    this.#place = options.place;
    this.#types = options.types;
    this.#maxBytes = options.maxBytes;
    this.#budget = options.budget;
    this.#orphans = options.orphans;
    this.#history = options.history;
    this.#onFailure = options.onFailure;
    this.#timer = setInterval(() => this.sweep(), Math.min(sweepEvery, options.orphans)).unref();
    this.#history.onChange((change) => {
      if (leavesFiles(change)) this.sweep();
      if (change.type !== 'erased') return;
      const reason = new RequestError('forbidden', 'the user was erased during the upload');
      for (const one of this.#uploads.get(change.user) ?? []) one.abort(reason);
    });
  }

  /**
   * Stores a file, and resolves when it can be sent with a message.
   * @throws RequestError `storage_full`, `storage_unavailable`, `unknown_room`, `forbidden` (the user was erased
   * during the upload), `rate_limited` (the user's budget, or the file waits too long for others)
   * @throws the reason of `signal`; the error of `check`
   */
  async add(upload: Upload): Promise<MessageFile | Unusable> {
    const { user, length, signal } = upload;
    const charge = this.#budget?.charge(user, length);
    let received = 0;
    const bytes = counted(upload.bytes, (count) => {
      received += count;
    });
    const erased = this.#begun(user);
    const ended = signal === undefined ? erased.signal : AbortSignal.any([erased.signal, signal]);
    try {
      return await this.#store({ ...upload, bytes, signal: ended }, charge);
    } catch (error) {
      // Received bytes stay charged, because they were written to disk. A failure of the storage charges nothing.
      if (error instanceof RequestError && error.isOfStorage) charge?.cancel();
      else if (received < length) charge?.change(received);
      throw error;
    } finally {
      this.#ended(user, erased);
    }
  }

  /**
   * Opens the bytes of a file or its preview.
   * @param part reads only this part
   * @returns null if the file does not exist
   */
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

  /** Deletes the bytes of deleted and orphaned files. A call during a sweep makes it run again. */
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
    // After a failure, the next call tries again.
    opened.catch(() => {
      if (this.#storage === opened) this.#storage = undefined;
    });
    return opened;
  }

  async #store(
    upload: Upload & { signal: AbortSignal },
    charge: Charge | undefined,
  ): Promise<MessageFile | Unusable> {
    const { room, user, name, length, bytes, side, isPicture, peaks, signal, check } = upload;
    const storage = await this.#opened();
    const folder = await storage.work().catch((error: Error) => this.#fail(error));
    const id = randomBytes(16).toString('hex');
    const path = join(folder, id);
    const previewPath = `${path}.preview`;
    try {
      await this.#reserved(storage, user, length, (space) => this.#receive(bytes, path, signal, space));
      const found = await this.#examiner
        .examine(
          user,
          {
            ...{ path, maxBytes: this.#maxBytes, types: side === undefined ? this.#types : ['image/*'] },
            side: isPicture ? roomPictureSide : side,
          },
          signal,
        )
        .catch((error: Error) => (signal.aborted ? Promise.reject(error) : this.#fail(error)));
      if ('tooLarge' in found)
        return {
          code: 'too_large',
          words: `The picture has ${found.tooLarge} bytes without its metadata; the limit is ${this.#maxBytes} bytes (CHAT_LIMIT_FILE).`,
        };
      if ('refused' in found) return { code: found.code, words: found.refused };
      if ('failed' in found) return { code: 'file_damaged' };
      const { type, made, media } = found;
      if (peaks !== undefined && (media === undefined || media.shown !== undefined))
        return { code: 'file_type' };
      if (isPicture && made === undefined) return { code: 'file_type' };
      const file: MessageFile = {
        id,
        // All members see the picture, so it does not show the name on the uploader's device.
        name: isPicture ? 'picture.webp' : fileName(name),
        type,
        size: made?.bytes.length ?? length,
        image: made && { width: made.width, height: made.height, blur: made.blur },
        ...(media === undefined ? {} : playedAs(media, peaks)),
      };
      if (made !== undefined) {
        const stored = made.bytes.length + (made.preview?.length ?? 0);
        if (stored > length) charge?.change(stored);
        await rm(path).catch((error: Error) => this.#fail(error));
        await this.#reserved(storage, user, stored, () => this.#write(made, path, previewPath));
      }
      await check?.();
      signal.throwIfAborted();
      // Recorded before its bytes are stored, because bytes of an unknown file would never be deleted.
      const about = isPicture ? { ...file, isPicture } : file;
      await this.#history.write.addFile({ room, user, file: about, at: Date.now() });
      await this.#keep(storage, id, path, made?.preview === undefined ? undefined : previewPath);
      // The user's or the room's files may have been deleted before these bytes were stored.
      if (signal.aborted || (await this.#history.read.file({ id, user })) === null) {
        await this.#delete(storage, id).catch((error: Error) => this.#fail(error));
        await this.#history.write.forgetFiles({ ids: [id] });
        signal.throwIfAborted();
        throw new RequestError('unknown_room');
      }
      return file;
    } finally {
      for (const one of [path, previewPath]) {
        // A file that cannot be removed now is deleted by `tidy` later, and does not change the result.
        await rm(one, { force: true }).catch(this.#onFailure);
      }
    }
  }

  /**
   * Runs `write` while space for `bytes` is reserved.
   * @throws RequestError `storage_full` if there is too little space
   */
  async #reserved(
    storage: Storage,
    user: string,
    bytes: number,
    write: (space: Reservation) => Promise<void>,
  ): Promise<void> {
    const space = await storage
      .reserve(user, bytes, this.#budget?.used(user) ?? 0)
      .catch((error: Error) => this.#fail(error));
    if (space === null) throw new RequestError('storage_full');
    await write(space).finally(() => space.end());
  }

  async #write({ bytes, preview }: MadePicture, path: string, previewPath: string): Promise<void> {
    try {
      await writeFile(path, bytes, { flag: 'wx', mode: 0o600 });
      if (preview !== undefined) await writeFile(previewPath, preview, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Reads the next piece only after the last piece is written, so memory is bounded. */
  async #receive(
    bytes: Upload['bytes'],
    path: string,
    signal: AbortSignal,
    space: Reservation,
  ): Promise<void> {
    const file = await open(path, 'wx', 0o600).catch((error: Error) => this.#fail(error));
    try {
      let unsynced = 0;
      for await (const piece of bytes) {
        signal.throwIfAborted();
        await write(file, piece).catch((error: Error) => this.#fail(error));
        space.written(piece.length);
        unsynced += piece.length;
        if (unsynced < syncEvery) continue;
        unsynced = 0;
        await file.datasync().catch((error: Error) => this.#fail(error));
      }
    } finally {
      await file.close().catch((error: Error) => this.#fail(error));
    }
  }

  async #keep(storage: Storage, id: string, path: string, preview: string | undefined): Promise<void> {
    try {
      if (preview !== undefined) await storage.put(previewOf(id), preview);
      await storage.put(id, path);
    } catch (error) {
      // A sweep deletes the partial bytes together with their entry.
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
      // Checked after the history dropped the files, because a backup that starts later does not need them.
      if (await storage.isCopied()) return;
      for (const id of stored) await this.#delete(storage, id);
      await this.#history.write.forgetFiles({ ids });
      this.#again = ids.length === mostAtOnce;
      this.#soon ??= setTimeout(() => {
        this.#soon = undefined;
        this.sweep();
      }, sweepAgainAfter).unref();
    }
    // Not only at startup, because a server usually restarts at once, when no leftover file is a day old yet.
    await (await this.#opened()).tidy();
  }
}

/** Returns the fields of a file that is sound or video. */
function playedAs(
  { duration, shown }: Media,
  peaks: string | undefined,
): Pick<MessageFile, 'audio' | 'video'> {
  if (shown !== undefined) return { video: { ...shown, duration } };
  return { audio: { duration, peaks } };
}

async function* counted(bytes: Upload['bytes'], count: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const piece of bytes) {
    count(piece.length);
    yield piece;
  }
}

async function write(file: FileHandle, piece: Buffer): Promise<void> {
  for (let written = 0; written < piece.length; ) {
    written += (await file.write(piece, written)).bytesWritten;
  }
}

const isFull = (code: string | undefined) => code === 'ENOSPC' || code === 'EDQUOT';

/** Whether the change may orphan files. */
function leavesFiles(change: Change): boolean {
  if (change.type === 'message') return change.is === 'changed' && change.message.deletedAt !== undefined;
  if (change.type === 'erased') return true;
  return change.type === 'room' && change.is !== 'new';
}
