import { Component, type ComponentChild } from 'preact';
import type { MessageFile } from '../../../../server/wire/events.ts';
import type { Upload } from '../../chat/uploads.ts';
import type { Entry, SentFile, Unsent } from '../../store/entries.ts';
import type { Context } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { addressOf } from './address.ts';
import type { Attachments } from './attachments.ts';
import { FileName } from './file-name.tsx';
import { fileSize } from './file-size.ts';
import { openLargeView } from './large-view.tsx';
import { Picture } from './picture.tsx';
import { hasThumbnail, Thumbnail } from './thumbnail.tsx';

/** Maximum number of pictures of a message that are shown. */
export const SEEN = 4;
/** Maximum size of a single picture, in CSS pixels. */
const WIDEST = 340;
const TALLEST = 320;

/**
 * Renders the pictures and files of a message.
 *
 * @param played - renders a sound or video that can be played here
 */
export function shownFiles(
  entry: Entry,
  context: Context,
  attachments: Attachments,
  played: (file: MessageFile) => ComponentChild,
) {
  const { message, unsent, held } = entry;
  if (unsent?.files !== undefined)
    return <OnTheirWay context={context} attachments={attachments} unsent={unsent} />;
  const files = (message ?? held)?.files ?? [];
  const pictures = files.filter(({ image }) => image !== undefined);
  const others = files.filter(({ image }) => image === undefined);
  const { strings } = context;
  return (
    <>
      {pictures.length > 0 && (
        <Grid
          pictures={pictures}
          cell={(file, n) => (
            <Picture
              key={file.id}
              context={context}
              file={file}
              alone={pictures.length === 1}
              more={n === SEEN - 1 ? pictures.length - SEEN : 0}
              open={(opener) => openLargeView({ context, entry, pictures, at: n, opener })}
            />
          )}
        />
      )}
      {others.map(
        (file) =>
          played(file) ?? (
            <a
              class="doc"
              key={file.id}
              href={addressOf(context.chat, file)}
              download={file.name}
              tabIndex={-1}
              data-tip={strings.text('file.download', { name: file.name })}
            >
              <Described file={file} context={context} />
              <Icon name="save" />
            </a>
          ),
      )}
    </>
  );
}

export function Grid<File extends Pick<MessageFile, 'image'>>({
  pictures,
  cell,
}: {
  readonly pictures: readonly File[];
  cell(file: File, n: number): preact.ComponentChildren;
}) {
  const [first] = pictures;
  const size = pictures.length === 1 ? first?.image : undefined;
  // Reserves the space, so that nothing moves when the picture loads. The server measures pictures, so the dimensions
  // of unfinished uploads are unknown.
  const inlineSize = size && `${Math.min(WIDEST, size.width, (TALLEST * size.width) / size.height)}px`;
  return (
    <div class={`imgs n${Math.min(pictures.length, SEEN)}`} style={{ inlineSize }}>
      {pictures.slice(0, SEEN).map(cell)}
    </div>
  );
}

/** Returns the type and size of a file, such as "PDF, 1.4 MB". */
function aboutFile(
  { name, type, size }: Pick<MessageFile, 'name' | 'type' | 'size'>,
  { strings }: Pick<Context, 'strings'>,
): string {
  const [, ending] = /\.([^.]{1,11})$/.exec(name) ?? [];
  return strings.list([ending?.toUpperCase() ?? type, fileSize(size, strings)]);
}

/** The icon of a file, its name, type and size. */
export function Described({
  file,
  context,
  words,
}: {
  readonly file: Pick<MessageFile, 'name' | 'type' | 'size'>;
  readonly context: Pick<Context, 'strings'>;
  readonly words?: string | undefined;
}) {
  return (
    <>
      <Icon name="file" />
      <div>
        <FileName name={file.name} />
        <small>{words ?? aboutFile(file, context)}</small>
      </div>
    </>
  );
}

interface OnTheirWayProps {
  readonly context: Context;
  readonly attachments: Attachments;
  readonly unsent: Unsent;
}

/** The files of an unsent message. */
class OnTheirWay extends Component<OnTheirWayProps> {
  #stop: (() => void) | undefined;

  override componentDidMount(): void {
    const { attachments } = this.props;
    const own = ({ key }: Upload) => this.props.unsent.files?.some((file) => file.key === key);
    this.#stop = attachments.uploads.follow((upload) => own(upload) && this.forceUpdate());
    attachments.look(this.props.unsent);
  }

  override componentDidUpdate(): void {
    this.props.attachments.look(this.props.unsent);
  }

  override componentWillUnmount(): void {
    this.#stop?.();
    this.props.attachments.release(this.props.unsent);
  }

  override render({ context, attachments, unsent }: OnTheirWayProps) {
    const files = unsent.files ?? [];
    const { uploads } = attachments;
    const isPicture = ({ key, type }: SentFile) =>
      hasThumbnail(type) && uploads.get(key)?.source !== undefined;
    const pictures = files.filter(isPicture);
    return (
      <>
        {pictures.length > 0 && (
          <Grid
            pictures={pictures}
            cell={(file) => (
              <span class="going" key={file.key}>
                <Thumbnail source={uploads.get(file.key)?.source as Blob} />
                <Progress context={context} file={file} upload={uploads.get(file.key)} />
              </span>
            )}
          />
        )}
        {files
          .filter((file) => !isPicture(file))
          .map((file) => (
            <div class="doc" key={file.key}>
              <Described file={file} context={context} words={attachments.problemOf(file)} />
              <Progress context={context} file={file} upload={uploads.get(file.key)} />
            </div>
          ))}
      </>
    );
  }
}

interface ProgressProps {
  readonly context: Context;
  readonly file: SentFile;
  readonly upload: Upload | undefined;
}

function Progress({ context, file, upload }: ProgressProps) {
  if (file.id !== undefined || upload === undefined || upload.problem !== undefined) return null;
  const n = Math.round(upload.progress * 100);
  const label = context.strings.text('file.progress', { name: file.name, n });
  return <progress max={100} value={n} aria-label={label} />;
}
