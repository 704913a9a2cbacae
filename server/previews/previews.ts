import type { Files } from '../files/files.ts';
import type { History, StoredHeld, StoredMessage } from '../history/history.ts';
import { RequestError } from '../wire/errors.ts';
import type { Preview } from '../wire/events.ts';
import { type Fetched, Fetcher } from './fetcher.ts';

/** Pixels of the longer side of a stored picture: three times as many as it is shown with. */
const pictureSide = 270;

/** The previews of links in messages. Each is fetched once, for its message alone. */
export class Previews {
  readonly #history: History;
  readonly #files: Files | undefined;
  readonly #hosts: readonly string[];
  readonly #hasWord: (text: string) => boolean;
  readonly #onFailure: (error: Error) => void;
  readonly #fetcher: Fetcher;

  /**
   * @param options.files undefined: without pictures
   * @param options.hosts those that may be asked although they are not public
   * @param options.hasWord whether a text has one of the words of CHAT_HOLD_WORDS
   * @param options.onFailure called when a preview could not be fetched or stored for a reason of our own
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

  /** Fetches the page of a message that has just been stored. A crash meanwhile leaves the message with the address alone. */
  begin({ room, seq, user, preview }: StoredMessage): void {
    const { write } = this.#history;
    this.#fetch({ room, user: user.id, preview, isPublished: true }, (found) =>
      write.preview({ room, seq, ...found, at: Date.now() }),
    );
  }

  /** The same for a message that waits for a moderator, who decides about the page, too. */
  beginHeld({ id, room, user, message: { preview } }: StoredHeld): void {
    const { write } = this.#history;
    this.#fetch({ room, user, preview, isPublished: false }, (found) =>
      write.heldPreview({ room, id, ...found, at: Date.now() }),
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
      await store({ url, ...(page ? { page } : {}) });
    };
    run().catch((error: Error) => {
      // The room is gone.
      if (!(error instanceof RequestError && error.code === 'unknown_room')) this.#onFailure(error);
    });
  }

  /** Whether the page has a listed word. A message that is published already cannot wait for a moderator any more. */
  async #isListed({ title, description = '' }: NonNullable<Fetched['page']>, room: string): Promise<boolean> {
    if (!this.#hasWord(`${title}\n${description}`)) return false;
    // In direct rooms nothing is checked.
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
      ...(description === undefined ? {} : { description }),
      ...(image === undefined ? {} : { image }),
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
      // Files has reported a failure of its storage. Beyond the user's budget the page is shown without its picture.
      if (!(error instanceof RequestError)) this.#onFailure(error);
    });
    if (file === undefined || 'code' in file || file.image === undefined) return undefined;
    const { id, image } = file;
    return { id, width: image.width, height: image.height };
  }
}
