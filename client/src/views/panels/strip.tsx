import type { Context, Stripped } from '../context.ts';
import { Icon } from '../icon.tsx';
import { ClashStrip } from './clash.tsx';

/** What one replies to or edits, above the field. */
export function strip(stripped: Stripped, context: Context) {
  const { edit, about, cancel } = stripped;
  const { strings } = context;
  const editing = edit !== undefined;
  if (!editing && about === undefined) return null;
  if (edit?.clash !== undefined)
    return <ClashStrip key="clash" context={context} {...stripped} clash={edit.clash} />;
  const [before, after] = strings.text('composer.replyTo').split('{name}');
  return (
    <div class="context" key={String(editing)}>
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
