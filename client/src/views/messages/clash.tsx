import { RequestError } from '../../connection/connection-state.ts';
import type { Clash, Context, StripProps } from '../context.ts';
import { Icon } from '../controls/icon.tsx';

interface Props extends Pick<StripProps, 'use' | 'cancel'> {
  readonly context: Pick<Context, 'strings'>;
  readonly clash: Clash;
}

/** The present text of the edited message, above the user's own text. */
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

/** Somebody changed or deleted the message meanwhile. */
export function clashOf(error: unknown): Clash | undefined {
  if (!(error instanceof RequestError)) return undefined;
  const { code, current } = error;
  if (code === 'unknown_message') return 'deleted';
  return code === 'conflict' && current !== undefined ? { text: current.text, rev: current.rev } : undefined;
}
