import type { Files } from '../files/files.ts';
import type { History, PendingMessage, StoredMessage } from '../history/history.ts';
import { RequestError } from '../wire/errors.ts';
import type { Preview } from '../wire/events.ts';
import { type Fetched, Fetcher } from './fetcher.ts';

/** Pixels of the longer side of a stored picture, three times its displayed size. */
const pictureSide = 270;

/** Fetches the previews of links in messages. Each message gets its own preview, which is fetched once. */
export class Previews {
  readonly #history: History;
  readonly #files: Files | undefined;
  readonly #hosts: readonly string[];
  readonly #hasWord: (text: string) => boolean;
  readonly #onFailure: (error: Error) => void;
  readonly #fetcher: Fetcher;

  /**
   * @param options.files without it, previews have no pictures
   * @param options.hosts hosts that may be contacted although they are not public
   * @param options.hasWord whether a text has one of the words of CHAT_HOLD_WORDS
   * @param options.onFailure called when the server itself fails to fetch or to store a preview
   */
  constructor(options: {
    history: History;
    files: Files | undefined;
    hosts: readonly string[];
    hasWord: (text: string) => boolean;
    onFailure: (error: Error) => void;
  }) {
    this.#history = options.history;
    this.#files = options.files;
    this.#hosts = options.hosts;
    this.#hasWord = options.hasWord;
    this.#onFailure = options.onFailure;
    this.#fetcher = new Fetcher(options.onFailure);
  }

  /** Fetches the linked page of a new or edited message. After a crash of the server, only the address remains. */
  begin({ room, seq, user, preview }: StoredMessage): void {
    const { write } = this.#history;
    this.#fetch({ room, user: user.id, preview, isPublished: true }, (found) =>
      write.preview({ room, seq, ...found, at: Date.now() }),
    );
  }

  /** Like `begin`, for a message that is pending approval. The moderator sees the page before the approval. */
  beginPending({ id, room, user, content: { preview } }: PendingMessage): void {
    const { write } = this.#history;
    this.#fetch({ room, user, preview, isPublished: false }, (found) =>
      write.pendingPreview({ room, id, ...found, at: Date.now() }),
    );
  }

  close(): void {
    this.#fetcher.close();
  }

  #fetch(
    {
      room,
      user,
      preview,
      isPublished,
    }: { room: string; user: string; preview: Preview | undefined; isPublished: boolean },
    store: (found: { url: string; page?: Omit<Preview, 'url'> }) => Promise<unknown>,
  ): void {
    if (preview === undefined || preview.title !== undefined) return;
    const { url } = preview;
    const run = async () => {
      const picture = this.#files !== undefined;
      const fetched = await this.#fetcher.fetch(user, { url, allowed: this.#hosts, picture });
      const isShown = fetched !== undefined && !(isPublished && (await this.#isListed(fetched, room)));
      const page = isShown ? await this.#pageOf(fetched, room, user) : undefined;
      await store({ url, page });
    };
    run().catch((error: Error) => {
      // The room was deleted.
      if (!(error instanceof RequestError && error.code === 'unknown_room')) this.#onFailure(error);
    });
  }

  /** Whether the page contains a word that is held for approval. A published message can no longer be held. */
  async #isListed({ title, description = '' }: NonNullable<Fetched['page']>, room: string): Promise<boolean> {
    if (!this.#hasWord(`${title}\n${description}`)) return false;
    // Words are not checked in direct rooms.
    return (await this.#history.read.room({ room, bare: true }))?.kind !== 'direct';
  }

  async #pageOf(
    { title, description, picture }: NonNullable<Fetched['page']>,
    room: string,
    user: string,
  ): Promise<Omit<Preview, 'url'>> {
    const image =
      picture === undefined ? undefined : await this.#keep(Buffer.from(picture, 'base64'), room, user);
    return {
      title,
      description,
      image,
    };
  }

  async #keep(bytes: Buffer, room: string, user: string): Promise<Preview['image']> {
    const upload = {
      room,
      user,
      name: 'preview.webp',
      length: bytes.length,
      bytes: [bytes],
      side: pictureSide,
    };
    const file = await this.#files?.add(upload).catch((error: Error) => {
      // `Files` already reported a storage failure. Beyond the user's budget, the preview has no picture.
      if (!(error instanceof RequestError)) this.#onFailure(error);
    });
    if (file === undefined || 'code' in file || file.image === undefined) return undefined;
    const { id, image } = file;
    return { id, width: image.width, height: image.height };
  }
}
