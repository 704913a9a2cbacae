import type { Follower } from '../../chat/chat-listener.ts';
import type { Entry } from '../../store/entries.ts';
import type { Room } from '../../store/room.ts';
import type { Tray as ComposersTray, Context, Place } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { Attachments } from './attachments.ts';
import { fileSize } from './file-size.ts';
import { shownFiles } from './shown-files.tsx';
import { Tray } from './tray.tsx';

/** All views of files: in the composer, over the room, and in messages. */
export class FileViews implements Follower {
  readonly #context: Context;
  readonly #attachments: Attachments;

  /** @param say - for those who hear it */
  constructor(context: Context, root: ShadowRoot, signal: AbortSignal, say: (text: string) => void) {
    this.#context = context;
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

  /** The pictures and files of a message. */
  shown(entry: Entry) {
    return shownFiles(entry, this.#context, this.#attachments);
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

  /** The session is over. */
  clear(): void {
    this.#attachments.clear();
  }
}
