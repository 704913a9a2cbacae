import type { Files } from '../files/files.ts';
import type { History, StoredMessage } from '../history/history.ts';
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
  readonly #onFailure: (error: Error) => void;
  readonly #fetcher: Fetcher;

  /**
   * @param options.files undefined: without pictures
   * @param options.hosts those that may be asked although they are not public
   * @param options.onFailure called when a preview could not be fetched or stored for a reason of our own
   */
  constructor(options: {
    history: History;
    files: Files | undefined;
    hosts: readonly string[];
    onFailure: (error: Error) => void;
  }) {
    this.#history = options.history;
    this.#files = options.files;
    this.#hosts = options.hosts;
    this.#onFailure = options.onFailure;
    this.#fetcher = new Fetcher(options.onFailure);
  }

  /** Fetches the page of a message that has just been stored. A crash meanwhile leaves the message with the address alone. */
  begin({ room, seq, user, preview }: StoredMessage): void {
    if (preview === undefined || preview.title !== undefined) return;
    this.#preview({ room, seq, user: user.id, url: preview.url }).catch((error: Error) => {
      // The room is gone.
      if (!(error instanceof RequestError && error.code === 'unknown_room')) this.#onFailure(error);
    });
  }

  close(): void {
    this.#fetcher.close();
  }

  async #preview({
    room,
    seq,
    user,
    url,
  }: {
    room: string;
    seq: number;
    user: string;
    url: string;
  }): Promise<void> {
    const picture = this.#files !== undefined;
    const fetched = await this.#fetcher.fetch(user, { url, allowed: this.#hosts, picture });
    const page = fetched && (await this.#pageOf(fetched, room, user));
    await this.#history.write.preview({ room, seq, url, ...(page ? { page } : {}), at: Date.now() });
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
    if (typeof file !== 'object' || file.image === undefined) return undefined;
    const { id, image } = file;
    return { id, width: image.width, height: image.height };
  }
}
