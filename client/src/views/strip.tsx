import type { Context } from './context.ts';
import { Icon } from './icon.tsx';

/** Whom a reply is for, and what was said. */
export interface About {
  readonly name: string;
  readonly text: string;
}

interface Props {
  readonly context: Context;
  /** A message is being edited, and has not been changed by anybody else. */
  readonly editing: boolean;
  readonly about: About | undefined;
  cancel(): void;
}

/** What one replies to or edits, above the field. */
export function Strip({ context: { strings }, editing, about, cancel }: Props) {
  if (!editing && about === undefined) return null;
  const [before, after] = strings.text('composer.replyTo').split('{name}');
  return (
    <div class="context" key={editing}>
      <Icon name={editing ? 'edit' : 'reply'} size="s" />
      <div>
        {editing || about === undefined
          ? strings.text('composer.editing')
          : [
              before,
              <b key="name">
                <bdi>{about.name}</bdi>
              </b>,
              `${after ?? ''} · ${about.text.replace(/\s+/gu, ' ')}`,
            ]}
      </div>
      <button
        type="button"
        class="icon"
        aria-label={strings.text(editing ? 'composer.cancelEdit' : 'composer.cancelReply')}
        onClick={cancel}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}
