import { RequestError } from '../../connection/connection-state.ts';
import type { Clash, Context, StripProps } from '../context.ts';
import { Icon } from '../controls/icon.tsx';

interface Props extends Pick<StripProps, 'use' | 'cancel'> {
  readonly context: Pick<Context, 'strings'>;
  readonly clash: Clash;
}

/** Shows the current text of the edited message above the user's own version. */
export function ClashStrip({ context: { strings }, clash, use, cancel }: Props) {
  const deleted = clash === 'deleted';
  return (
    <div class="clash" role="alert">
      <b>
        <Icon name="alert" size="s" />
        {strings.text(deleted ? 'edit.gone' : 'edit.clash')}
      </b>
      {!deleted && <p>{clash.text}</p>}
      {!deleted && (
        <button type="button" class="link" onClick={() => use(clash.text, clash.rev)}>
          {strings.text('edit.useOther')}
        </button>
      )}
      <button type="button" class="link" onClick={cancel}>
        {strings.text('composer.cancelEdit')}
      </button>
    </div>
  );
}

/** Returns the current version if an edit failed because the message was changed or deleted. */
export function clashOf(error: unknown): Clash | undefined {
  if (!(error instanceof RequestError)) return undefined;
  const { code, current } = error;
  if (code === 'unknown_message') return 'deleted';
  return code === 'conflict' && current !== undefined ? { text: current.text, rev: current.rev } : undefined;
}
