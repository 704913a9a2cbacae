import type { MessageFile } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import type { Recordings } from '../../chat/recordings.ts';
import type { VoiceNote } from '../../chat/uploads.ts';
import type { Entry } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import type { Tray as ComposersTray, Context, Place, VoicePlace } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { Late } from '../late.ts';
import type { Media } from '../media/media.tsx';
import { Attachments } from './attachments.ts';
import { fileSize } from './file-size.ts';
import { shownFiles } from './shown-files.tsx';
import { Tray } from './tray.tsx';

/** Loaded with the first sound or video. */
const code = new Late(() => import('../media/media.tsx'));

interface Around {
  readonly root: ShadowRoot;
  readonly signal: AbortSignal;
  /** Announces a text to screen readers. */
  say(text: string): void;
  /** Redraws the messages. */
  redraw(): void;
}

/** All views of files: in the composer, above the room, and in messages. */
export class FileViews implements Follower {
  readonly #context: Context;
  readonly #around: Around;
  readonly #attachments: Attachments;
  /** Undefined until there is something to play and its code is loaded. */
  #media: Media | undefined;
  #asked: Promise<Media> | undefined;

  constructor(context: Context, around: Around) {
    const { root, signal, say } = around;
    this.#context = context;
    this.#around = around;
    this.#attachments = new Attachments(context, root, signal);
    const { uploads } = this.#attachments;
    uploads.follow((upload) => {
      // A file that the user removed is no longer in `uploads`.
      if (upload.stored !== undefined && uploads.get(upload.key) === upload)
        say(context.strings.text('say.uploaded', { name: upload.name }));
    });
  }

  ready(): void {
    this.#attachments.ready();
  }

  stored(key: string | null): void {
    this.#attachments.changedElsewhere(key);
  }

  tray(place: Place): ComposersTray {
    const attachments = this.#attachments;
    const items = attachments.items(place);
    return {
      full: items.some(({ upload }) => upload.problem === undefined),
      stored: items.every(({ upload }) => upload.stored !== undefined),
      content: () => ({ files: attachments.files(place) }),
      draw: () =>
        items.length > 0 && (
          <Tray context={this.#context} attachments={attachments} place={place} items={items} />
        ),
      take: ({ files }) => files && attachments.take(place, files),
    };
  }

  /** See `Context`. */
  attach(...of: Parameters<Attachments['attach']>): void {
    this.#attachments.attach(...of);
  }

  /** See `Context`. */
  pickFiles(...of: Parameters<Attachments['pickFiles']>): void {
    this.#attachments.pickFiles(...of);
  }

  /** Whether the user may send files to the room. */
  may(room: Room): boolean {
    return this.#attachments.may(room);
  }

  /** Recordings of the user that the server does not have yet. */
  get recordings(): Recordings | undefined {
    return this.#attachments.recordings;
  }

  /** Returns false without a login. */
  sendVoice(place: VoicePlace, file: File, voice: VoiceNote, key: string): boolean {
    return this.#attachments.sendVoice(place, file, voice, key);
  }

  /** Renders the pictures and files of a message. */
  shown(entry: Entry) {
    return shownFiles(entry, this.#context, this.#attachments, (file) => this.#played(file, entry));
  }

  /** Shown above the timeline while something plays out of view. */
  bar() {
    return this.#media?.bar();
  }

  /** Renders a sound or video. Returns undefined for other files, and until the players are loaded. */
  #played(file: MessageFile, entry: Entry) {
    if (file.audio === undefined && file.video === undefined) return undefined;
    if (this.#media === undefined)
      this.media().then(
        () => this.#around.redraw(),
        () => {},
      );
    return this.#media?.shown(file, entry);
  }

  /** Loads the players. */
  media(): Promise<Media> {
    this.#asked ??= code.load().then(
      ({ Media, sheet }) => {
        const { root, signal } = this.#around;
        signal.throwIfAborted();
        root.adoptedStyleSheets.push(sheet());
        this.#media = new Media(this.#context, signal);
        return this.#media;
      },
      (error: unknown) => {
        this.#asked = undefined;
        throw error;
      },
    );
    return this.#asked;
  }

  /** The area on which dragged files can be dropped. */
  frame(room: Room) {
    if (!this.#attachments.dragged) return undefined;
    const { chat, strings } = this.#context;
    const { files: n, file } = chat.limits;
    return (
      <div class="drop">
        <Icon name="picture" />
        <span>{strings.text('file.drop', { room: room.summary.name })}</span>
        <small>{strings.text('file.limit', { n, size: fileSize(file, strings) })}</small>
      </div>
    );
  }

  /** Stops playback and pauses uploads, because the session may have expired. */
  hide(): void {
    this.#media?.clear();
    this.#attachments.uploads.pause();
  }

  /** Call when the session has ended. */
  ended(): void {
    this.#attachments.ended();
  }

  over(): void {
    this.#attachments.clear();
  }
}
