import type { MessageFile } from '../../../../server/wire/events.ts';
import { list, number, object, optional, text } from '../../chat/form.ts';
import { Recordings } from '../../chat/recordings.ts';
import { withLock } from '../../chat/tab-lock.ts';
import { type Upload, type UploadProblem, Uploads, type VoiceNote } from '../../chat/uploads.ts';
import { messageFile, type SentFile, type Unsent } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import { type Context, type FileSource, keyOf, type Place, type VoicePlace } from '../context.ts';
import { apply } from '../messages/format-bar.tsx';
import { uploadProblem } from './upload-problem.ts';

/** A file attached to a draft. */
export interface Attached {
  readonly upload: Upload;
  readonly alt?: string | undefined;
}

/** The part of an attached file that the browser stores. */
interface StoredFile extends Pick<Upload, 'key' | 'name' | 'type' | 'size'> {
  readonly alt?: string | undefined;
  readonly stored?: MessageFile | undefined;
}

const keptForm = list(
  object<StoredFile>({
    key: text,
    name: text,
    type: text,
    size: number,
    alt: optional(text),
    stored: optional(messageFile),
  }),
);

/** Problems that only the user can resolve. A file with one of them does not count towards the limit of files. */
const NEVER: ReadonlySet<UploadProblem | undefined> = new Set([
  'tooLarge',
  'type',
  'limit',
  'damaged',
  'folder',
  'tooMany',
]);

/** Maximum number of files in the tray. It also holds files that cannot be sent. */
const MOST_TILES = 20;

const lockOf = (key: string) => `php-chat/upload/${key}`;

/** Whether the upload may still complete without the user. */
const goesOn = ({ stored, problem }: Upload) => stored === undefined && problem === undefined;

/** The files of drafts by room or thread, and of messages that wait for their uploads. */
export class Attachments {
  readonly uploads: Uploads;
  readonly #context: Context;
  readonly #root: ShadowRoot;
  readonly #trays = new Map<string, Attached[]>();
  /** Functions that release the locks of running uploads, by file key. */
  readonly #held = new Map<string, () => void>();
  /** The owner of the files. The files stay until the session is known to belong to another user. */
  #user: string | undefined;
  /** Whether a file is dragged over the room. */
  dragged = false;

  constructor(context: Context, root: ShadowRoot, signal: AbortSignal) {
    this.#context = context;
    this.#root = root;
    const { server, connection, me } = context.chat;
    this.#user = me?.id;
    this.uploads = new Uploads(
      server,
      () => connection.state.kind === 'ready',
      () => connection.ticket,
    );
    this.uploads.follow((upload) => this.#changed(upload));
    const over = (event: DragEvent) => this.#over(event);
    for (const type of ['dragenter', 'dragover', 'dragleave', 'drop'] as const)
      root.addEventListener(type, over as EventListener, { signal });
    // Without `dragleave`, because the message below the file was replaced: while files are dragged, no pointer moves.
    root.addEventListener('pointermove', () => this.#drag(false), { signal });
    signal.addEventListener('abort', () => this.clear());
    // This code loads after the first connection, so `ready` was not called.
    this.#tidy();
  }

  /** Discards the files, because another user logged in, or the user logged out. */
  clear(): void {
    // Comes first. Otherwise the changed uploads would be stored for the next user.
    this.#trays.clear();
    this.uploads.clear();
  }

  /** Releases the locks when the session ends. Another tab would wait for uploads that may never continue. */
  ended(): void {
    for (const end of this.#held.values()) end();
  }

  /** Undefined while no user is known. */
  get recordings(): Recordings | undefined {
    const { store } = this.#context.chat;
    return store && new Recordings(store);
  }

  /** Sends a recording, which is stored until the server has it. Returns false without a login. */
  sendVoice(place: VoicePlace, file: File, voice: VoiceNote, key: string): boolean {
    const { chat } = this.#context;
    const upload = this.uploads.add(place.room.id, file, chat.limits.file, { key, voice });
    const files = [sent(upload, undefined)];
    if (!chat.send(place, { ...place.content, text: '', files })) {
      this.uploads.cancel(key);
      return false;
    }
    this.recordings?.sent(key);
    this.#hold(upload);
    return true;
  }

  /** Deletes recordings whose message is stored or discarded. */
  #tidy(): void {
    const { outbox } = this.#context.chat;
    if (outbox === undefined) return;
    const going = new Set(outbox.list().flatMap(({ files = [] }) => files.map(({ key, id }) => id ?? key)));
    const { recordings } = this;
    for (const [id, note] of recordings?.notes() ?? [])
      if (note.sent === true && !going.has(id)) void recordings?.delete(id);
  }

  /** Whether the user may send files to the room. */
  may(room: Room): boolean {
    return this.#context.chat.can.files && room.summary.may.includes('send');
  }

  /** See `Context`. */
  attach(place: Place, data: FileSource, stored?: () => void): void {
    if (this.#refuses(place)) return;
    const last = this.#add(place, data).at(-1)?.upload;
    if (stored === undefined) return;
    const stop = this.uploads.follow((upload) => {
      if (upload !== last) return;
      const isCancelled = this.uploads.get(upload.key) === undefined;
      if (isCancelled || upload.stored !== undefined) stop();
      if (!isCancelled && upload.stored !== undefined) stored();
    });
  }

  /** See `Context`. */
  pickFiles(place: Place, picked: () => void): void {
    if (this.#refuses(place)) return;
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = true;
    input.addEventListener('change', () => {
      this.#add(place, { files: input.files ?? [] });
      picked();
    });
    input.click();
  }

  /** Tells the user if the room takes no files. */
  #refuses({ room }: Place): boolean {
    const { strings, toast } = this.#context;
    if (this.may(room)) return false;
    toast(strings.text('composer.noFiles'), 'bad');
    return true;
  }

  remove(place: Place, { upload }: Attached): void {
    this.uploads.cancel(upload.key);
    this.#set(
      place,
      this.items(place).filter((item) => item.upload !== upload),
    );
  }

  describe(place: Place, item: Attached): void {
    const { upload } = item;
    this.#context.dialog({
      kind: 'describe',
      source: upload.source,
      alt: item.alt ?? '',
      save: (alt) => {
        const items = this.items(place).map((one) => (one.upload === upload ? { upload, alt } : one));
        this.#set(place, items);
      },
    });
  }

  /** Returns why a file of an unsent message cannot be uploaded; undefined if no problem is known. */
  problemOf({ key, lost }: SentFile): string | undefined {
    const upload = this.uploads.get(key);
    if (upload?.problem !== undefined) return uploadProblem(this.#context, upload);
    return lost === true ? this.#context.strings.text('file.failed') : undefined;
  }

  /** Retries the failed uploads after a reconnect. */
  ready(): void {
    const user = this.#context.chat.me?.id;
    if (user !== this.#user) this.clear();
    this.#user = user;
    this.uploads.resume();
    this.#tidy();
    for (const { upload } of [...this.#trays.values()].flat())
      if (upload.problem === 'failed') this.uploads.retry(upload);
    const { outbox } = this.#context.chat;
    for (const item of outbox?.list() ?? []) {
      const missing = (item.files ?? []).filter(({ id }) => id === undefined);
      const uploads = missing.map(({ key }) => this.uploads.get(key));
      // The end of the session may have released the lock, and another tab may have marked the file as lost.
      for (const upload of uploads) if (upload !== undefined && goesOn(upload)) this.#hold(upload);
      const all = uploads.filter((upload) => upload?.problem === 'failed' && upload.source !== undefined);
      // If not all files of a message can be retried, its author has to decide.
      if (item.failed !== 'upload' || all.length < missing.length) continue;
      for (const upload of all) if (upload !== undefined) this.#again(upload);
      outbox?.retry(item);
    }
  }

  /** Checks the files of an unsent message. A file without an upload here is uploaded by another tab, or lost. */
  look(unsent: Unsent): void {
    if (unsent.failed !== undefined) return;
    for (const file of unsent.files ?? []) {
      if (file.id !== undefined) continue;
      const upload = this.uploads.get(file.key);
      if (upload?.problem !== undefined && upload.source !== undefined) this.#again(upload);
      else if (upload?.stored !== undefined) this.#changed(upload);
      else if (upload === undefined) void this.#lost(unsent.clientId, file.key);
    }
  }

  /** Cancels the uploads of a message that was stored or discarded. */
  release({ files = [] }: Unsent): void {
    const waiting = this.#context.chat.outbox?.list().flatMap((item) => item.files ?? []);
    for (const { key } of files) if (!waiting?.some((file) => file.key === key)) this.uploads.cancel(key);
    this.#tidy();
  }

  async #lost(clientId: string, key: string): Promise<void> {
    const note = async () => {
      const recorded = await this.recordings?.sound(key);
      const { outbox } = this.#context.chat;
      const item = outbox?.get(clientId);
      const file = item?.files?.find((one) => one.key === key && one.id === undefined);
      if (outbox === undefined || item === undefined || item.failed !== undefined || file === undefined)
        return;
      if (recorded !== undefined && this.uploads.get(key) === undefined) {
        const { name, type, size, audio: { duration = 0, peaks = '' } = {} } = file;
        const voice = { duration, peaks };
        const rest = { progress: 0, problem: undefined, stored: undefined };
        const upload = { key, room: item.room, name, type, size, source: recorded, voice, ...rest };
        this.uploads.restore(upload);
        return this.#again(upload);
      }
      // The loss was already reported, so the message is sent without the file.
      const rest = item.files?.filter((one) => one !== file) ?? [];
      if (file.lost !== true) {
        const files = item.files?.map((one) => (one === file ? { ...one, lost: true } : one)) ?? [];
        outbox.put({ ...item, files, failed: 'upload' });
      } else if (rest.length === 0 && item.text === '') outbox.discard(clientId);
      else outbox.put({ ...item, files: rest });
    };
    await withLock(lockOf(key), { ifAvailable: true }, async (isFree) => {
      if (isFree) await note();
    });
  }

  /** Returns the files attached to the draft. */
  items(place: Place): Attached[] {
    const key = keyOf(place);
    const known = this.#trays.get(key);
    if (known !== undefined) return known;
    const items = this.#kept(key).map((file) => this.#restored(place.room.id, file));
    this.#trays.set(key, items);
    return items;
  }

  #kept(place: string): StoredFile[] {
    return this.#context.chat.store?.get(`tray/${place}`, keptForm) ?? [];
  }

  #restored(room: string, { alt, stored, ...file }: StoredFile): Attached {
    const problem = stored === undefined ? 'failed' : undefined;
    const upload = { ...file, room, source: undefined, progress: 1, problem, stored } as const;
    this.uploads.restore(upload);
    return { upload, alt };
  }

  /**
   * Another tab changed files of drafts, or sent them. Here they must not be sent again. Files that another tab is still
   * uploading are not shown, because this tab cannot repeat the upload.
   */
  changedElsewhere(key: string | null): void {
    const { store } = this.#context.chat;
    for (const [place, items] of this.#trays) {
      if (store?.owns(key, `tray/${place}`) !== true) continue;
      const kept = this.#kept(place);
      const isOwn = ({ upload }: Attached) =>
        upload.stored === undefined || kept.some((file) => file.key === upload.key);
      const own = items.filter(isOwn);
      const [room = ''] = place.split('/');
      const others = kept.filter(
        (file) => file.stored !== undefined && !items.some(({ upload }) => upload.key === file.key),
      );
      this.#trays.set(place, [...own, ...others.map((file) => this.#restored(room, file))]);
    }
  }

  #set(place: Place, items: Attached[]): void {
    const key = keyOf(place);
    this.#trays.set(key, items);
    this.#keep(key, items);
    this.#context.changed();
  }

  #keep(place: string, items: readonly Attached[]): void {
    const { store } = this.#context.chat;
    const kept = items.map(({ upload: { key, name, type, size, stored }, alt }): StoredFile => {
      return { key, name, type, size, alt, stored };
    });
    if (kept.length === 0) store?.delete(`tray/${place}`);
    else store?.set(`tray/${place}`, kept);
  }

  #add(place: Place, data: FileSource): Attached[] {
    const { chat, strings, toast } = this.#context;
    const files = [...data.files];
    const items = this.items(place);
    const shown = files.slice(0, Math.max(0, MOST_TILES - items.length));
    if (shown.length < files.length) toast(strings.text('file.tooMany', { n: chat.limits.files }), 'bad');
    const entries = [...(data.items ?? [])]
      .filter(({ kind }) => kind === 'file')
      .map((item) => item.webkitGetAsEntry());
    const added: Attached[] = [];
    for (const file of shown) {
      const isFull = !this.#hasRoom([...items, ...added]);
      const problem = entries[files.indexOf(file)]?.isDirectory ? 'folder' : isFull ? 'tooMany' : undefined;
      added.push({ upload: this.uploads.add(place.room.id, file, chat.limits.file, { problem }) });
    }
    this.#set(place, [...items, ...added]);
    return added;
  }

  /** Whether the message can take one more file. */
  hasRoom = (place: Place): boolean => this.#hasRoom(this.items(place));

  /** A failed upload counts, because it may still succeed. */
  #hasRoom(items: readonly Attached[]): boolean {
    const going = items.filter(({ upload: { problem } }) => !NEVER.has(problem));
    return going.length < this.#context.chat.limits.files;
  }

  /** Returns the files of the draft that have no problem, for the message. Undefined without files. */
  files(place: Place): SentFile[] | undefined {
    const items = this.items(place).filter(({ upload }) => upload.problem === undefined);
    return items.length === 0 ? undefined : items.map(({ upload, alt }) => sent(upload, alt));
  }

  /** Removes files from the draft that were sent. */
  take(place: Place, files: readonly SentFile[]): void {
    const items = this.items(place);
    const isSent = ({ upload }: Attached) => files.some(({ key }) => key === upload.key);
    for (const { upload } of items.filter(isSent)) if (upload.stored === undefined) this.#hold(upload);
    this.#set(
      place,
      items.filter((item) => !isSent(item)),
    );
  }

  /** Repeats the upload of a file that a message needs. */
  #again(upload: Upload): void {
    this.uploads.retry(upload);
    this.#hold(upload);
  }

  /** Holds a lock during the upload, so that other tabs do not regard the file as lost. */
  #hold({ key }: Upload): void {
    if (this.#held.has(key)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = this.uploads.follow((upload) => {
      // A cancelled upload is no longer in `uploads`.
      if (upload.key === key && !(goesOn(upload) && this.uploads.get(key) !== undefined)) end();
    });
    const end = () => {
      stop();
      this.#held.delete(key);
      resolve();
    };
    this.#held.set(key, end);
    void withLock(lockOf(key), {}, () => promise);
  }

  /** Handles a change of an upload. The file is in a tray, or an unsent message waits for it. */
  #changed(upload: Upload): void {
    const { outbox } = this.#context.chat;
    if (upload.stored !== undefined || upload.problem !== undefined) {
      // A message that already has the file's ID needs no update.
      const waits = ({ key, id }: SentFile) => key === upload.key && id === undefined;
      const waiting = outbox?.list().find(({ files }) => files?.some(waits));
      if (waiting !== undefined) {
        const files = waiting.files?.map((file) => (waits(file) ? sent(upload, file.alt) : file)) ?? [];
        const { failed, ...item } = { ...waiting, files };
        // The server rejected the message for another reason, so only the user can send it again.
        if (failed !== undefined && failed !== 'upload') outbox?.put({ ...item, failed });
        else outbox?.put(upload.problem === undefined ? item : { ...item, failed: 'upload' });
        this.#tidy();
      }
      for (const [place, items] of this.#trays)
        if (items.some((item) => item.upload === upload)) this.#keep(place, items);
    }
    this.#context.changed();
  }

  /** Takes a link that is dropped on the room into the text. Otherwise the browser would leave the page. */
  #overLink(event: DragEvent, isHere: boolean): void {
    const isField = event.target instanceof Element && event.target.matches('input, textarea');
    if (isField || !isHere || event.dataTransfer?.types.includes('text/uri-list') !== true) return;
    event.preventDefault();
    if (event.type !== 'drop') return;
    const addresses = event.dataTransfer.getData('text/uri-list').split(/[\r\n]+/);
    const address = addresses.find((line) => line !== '' && !line.startsWith('#'));
    const field = this.#root.querySelector<HTMLTextAreaElement>('.main .composer textarea');
    if (address === undefined || field === null || field.readOnly) return;
    const { value, selectionStart, selectionEnd } = field;
    const blank = /\S$/.test(value.slice(0, selectionStart)) ? ' ' : '';
    const text = blank + address;
    const end = selectionStart + text.length;
    apply({ from: selectionStart, to: selectionEnd, text, start: end, end }, field);
  }

  #over(event: DragEvent): void {
    const { current } = this.#context.chat;
    const { target, dataTransfer } = event;
    const isHere = target instanceof Element && target.closest('.main') !== null;
    const isFile = dataTransfer?.types.includes('Files') === true;
    if (!isFile) return this.#overLink(event, isHere);
    // The field handles drops itself.
    if (event.type === 'drop' && isHere && current !== undefined && !event.defaultPrevented)
      this.attach({ room: current }, dataTransfer);
    // Otherwise the browser would leave the page and open the file.
    event.preventDefault();
    const isField = target instanceof Element && target.matches('.talk textarea');
    if (!isHere && !isField) dataTransfer.dropEffect = 'none';
    const left = event.type === 'dragleave' && !(event.relatedTarget instanceof Node);
    const dragged = isHere && event.type !== 'drop' && !left && current !== undefined && this.may(current);
    this.#drag(dragged);
  }

  #drag(dragged: boolean): void {
    if (dragged === this.dragged) return;
    this.dragged = dragged;
    this.#context.changed();
  }
}

/** Returns the file in the form that an unsent message has it. */
function sent({ key, name, type, size, voice, stored }: Upload, alt: string | undefined): SentFile {
  return { name, type, size, audio: voice, ...stored, key, ...(alt ? { alt } : {}) };
}
