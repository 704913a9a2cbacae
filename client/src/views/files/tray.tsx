import type { UploadProblem } from '../../chat/uploads.ts';
import { confirms } from '../../text/keys.ts';
import type { Context, Place } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import type { Attached, Attachments } from './attachments.ts';
import { FileName } from './file-name.tsx';
import { fileSize } from './file-size.ts';
import { hasThumbnail, Thumbnail } from './thumbnail.tsx';
import { uploadProblem } from './upload-problem.ts';

interface Props {
  readonly context: Context;
  readonly attachments: Attachments;
  readonly place: Place;
  readonly items: readonly Attached[];
}

/** The files of the draft. They are a single tab stop: arrow keys move within it, Delete removes a file. */
export function Tray({ context, attachments, place, items }: Props) {
  const { strings } = context;
  const remove = (item: Attached, tile: HTMLElement | null) => {
    const next = tile?.nextElementSibling ?? tile?.previousElementSibling;
    attachments.remove(place, item);
    if (next instanceof HTMLElement) next.focus();
    else context.draw(tile?.closest('form')?.querySelector('textarea'));
  };
  const hasRoom = attachments.hasRoom(place);
  const mayRetry = (problem: UploadProblem | undefined) =>
    problem === 'failed' || problem === 'busy' || (problem === 'tooMany' && hasRoom);
  const key = (event: KeyboardEvent, item: Attached) => {
    const tile = event.currentTarget as HTMLElement;
    if (event.target !== tile) return;
    const forward = getComputedStyle(tile).direction === 'rtl' ? 'ArrowLeft' : 'ArrowRight';
    if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      const next = event.key === forward ? tile.nextElementSibling : tile.previousElementSibling;
      if (next instanceof HTMLElement) next.focus();
    } else if (event.key === 'Delete' || event.key === 'Backspace') remove(item, tile);
    else if (confirms(event) || event.key === ' ') {
      tile.querySelector<HTMLElement>('.alt, .link')?.click();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: these are not form fields.
    <div class="tray" role="group" aria-label={strings.text('file.tray')}>
      {items.map((item, n) => {
        const { upload, alt } = item;
        const { name, problem, source, stored, progress } = upload;
        const isPicture = source !== undefined && hasThumbnail(source.type) && problem === undefined;
        const classes = ['att'];
        if (!isPicture) classes.push('wide');
        if (problem !== undefined) classes.push('bad');
        else if (stored === undefined) classes.push('busy');
        return (
          // biome-ignore lint/a11y/useSemanticElements: these are not form fields.
          <div
            class={classes.join(' ')}
            role="group"
            key={upload.key}
            aria-label={name}
            tabIndex={n === 0 ? 0 : -1}
            onFocusIn={({ currentTarget: tile }) => {
              for (const other of tile.parentElement?.children ?? [])
                (other as HTMLElement).tabIndex = other === tile ? 0 : -1;
            }}
            onKeyDown={(event) => key(event, item)}
          >
            {isPicture ? (
              <Thumbnail source={source} />
            ) : (
              <>
                <Icon name={problem === undefined ? 'file' : 'alert'} />
                <div>
                  <FileName name={name} />
                  <small>
                    {problem === undefined ? fileSize(upload.size, strings) : uploadProblem(context, upload)}{' '}
                    {source !== undefined && mayRetry(problem) && (
                      <button
                        type="button"
                        class="link"
                        tabIndex={-1}
                        onClick={() => attachments.uploads.retry(upload)}
                      >
                        {strings.text('msg.retry')}
                      </button>
                    )}
                  </small>
                </div>
              </>
            )}
            {problem === undefined && stored === undefined && (
              <progress
                max={100}
                value={Math.round(progress * 100)}
                aria-label={strings.text('file.progress', { name, n: Math.round(progress * 100) })}
              />
            )}
            {isPicture && (
              <button
                type="button"
                class={alt ? 'alt done' : 'alt'}
                tabIndex={-1}
                aria-label={strings.text(alt ? 'file.described' : 'file.describe', { name })}
                onClick={() => attachments.describe(place, item)}
              />
            )}
            <button
              type="button"
              class="icon"
              tabIndex={-1}
              aria-label={strings.text('file.remove', { name })}
              onClick={({ currentTarget }) => remove(item, currentTarget.closest('.att'))}
            >
              <Icon name="close" />
            </button>
          </div>
        );
      })}
    </div>
  );
}
