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

/** It comes with the first sound or video. */
const code = new Late(() => import('../media/media.tsx'));

interface Around {
  readonly root: ShadowRoot;
  readonly signal: AbortSignal;
  /** For those who hear it. */
  say(text: string): void;
  /** Draws the messages again. */
  redraw(): void;
}

/** All views of files: in the composer, over the room, and in messages. */
export class FileViews implements Follower {
  readonly #context: Context;
  readonly #around: Around;
  readonly #attachments: Attachments;
  /** Undefined until there is something to play, and its code has come. */
  #media: Media | undefined;
  #asked: Promise<Media> | undefined;

  constructor(context: Context, around: Around) {
    const { root, signal, say } = around;
    this.#context = context;
    this.#around = around;
    this.#attachments = new Attachments(context, root, signal);
    const { uploads } = this.#attachments;
    uploads.follow((upload) => {
      // A file that is taken away is forgotten.
      if (upload.stored !== undefined && uploads.get(upload.key) === upload)
        say(context.strings.text('say.uploaded', { name: upload.name }));
    });
  }

  ready(): void {
    this.#attachments.ready();
  }

  tray(place: Place): ComposersTray {
    const attachments = this.#attachments;
    const items = attachments.items(place);
    return {
      full: items.some(({ upload }) => upload.problem === undefined),
      draw: () =>
        items.length > 0 && (
          <Tray context={this.#context} attachments={attachments} place={place} items={items} />
        ),
      take: () => attachments.take(place),
    };
  }

  attach(place: Place, files?: FileList): void {
    this.#attachments.attach(place, files);
  }

  /** Whether a message of the room may have files. */
  may(room: Room): boolean {
    return this.#attachments.may(room);
  }

  /** Recordings of the user that the server does not have. */
  get recordings(): Recordings | undefined {
    return this.#attachments.recordings;
  }

  /** False if there is no room for it in the browser's storage. */
  sendVoice(place: VoicePlace, file: File, voice: VoiceNote, key: string): boolean {
    return this.#attachments.sendVoice(place, file, voice, key);
  }

  /** The pictures and files of a message. */
  shown(entry: Entry) {
    return shownFiles(entry, this.#context, this.#attachments, (file) => this.#played(file, entry));
  }

  /** Stands above the timeline while something plays that is not in sight. */
  bar() {
    return this.#media?.bar();
  }

  /** Undefined for a file that is only for downloading; so is a sound or video, as long as its code has not come. */
  #played(file: MessageFile, entry: Entry) {
    if (file.audio === undefined && file.video === undefined) return undefined;
    if (this.#media === undefined)
      this.media().then(
        () => this.#around.redraw(),
        () => {},
      );
    return this.#media?.shown(file, entry);
  }

  /** The players, once their code has come. */
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

  /** Where a file that is dragged can be let go. */
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

  /** The session may be over. */
  hide(): void {
    this.#media?.clear();
    this.#attachments.uploads.pause();
  }

  /** The end of the session is said. */
  ended(): void {
    this.#attachments.ended();
  }

  over(): void {
    this.#attachments.clear();
  }
}
