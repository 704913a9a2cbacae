import type { Chat } from '../chat/chat.ts';
import type { Strings } from '../strings/strings.ts';
import type { Context, ControlContext } from './context.ts';
import { Icon, type IconName } from './controls/icon.tsx';

export interface Notice {
  kind: '' | 'warn' | 'bad';
  picture: IconName;
  /** `{s}` is replaced by the remaining seconds. */
  text: string;
  until?: number;
  retry?: () => void;
  /** The connection is lost, so presence is unknown. */
  lost?: boolean;
}

/** A shorter interruption does not show a banner. */
const LOST_MS = 1000;
const CONNECTING_MS = 2000;

export const causes = {
  network: { picture: 'retry', text: 'conn.retry' },
  store: { picture: 'store', text: 'conn.store' },
  many: { picture: 'clock', text: 'conn.many' },
} as const;

/** The line that reports a connection or storage problem. */
export function Banner({ context, notice }: { context: ControlContext; notice: Notice | undefined }) {
  if (notice === undefined) return null;
  const { kind, picture, text, until, retry } = notice;
  const [before, after] = text.split('{s}');
  const seconds = Math.max(0, Math.ceil(((until ?? 0) - performance.now()) / 1000));
  return (
    <div class={`banner ${kind}`.trim()}>
      <Icon name={picture} />
      <span>
        {before}
        {after !== undefined && <span class="num">{seconds}</span>}
        {after}
      </span>
      {retry !== undefined && (
        <button type="button" class="link" onClick={retry}>
          {context.strings.text('conn.now')}
        </button>
      )}
    </div>
  );
}

/** Returns the most severe problem. Connection problems outrank storage problems. */
export function noticeOf({ chat, strings }: Context): Notice | undefined {
  const waiting = chat.unsent().filter((item) => item.failed === undefined).length;
  const offline = waiting > 0 ? strings.count('conn.outbox', waiting) : strings.text('conn.offline');
  const notice = noticeOfConnection(chat.connection, strings, offline);
  if (notice !== undefined) return notice;
  if (chat.paused?.code.startsWith('storage_') === true) {
    const retry = () => chat.outbox?.wake();
    return { kind: 'bad', picture: 'store', text: strings.text('conn.storage'), retry };
  }
  return undefined;
}

/** @param offline - the text for a browser without network */
export function noticeOfConnection(
  connection: Chat['connection'],
  strings: Strings,
  offline: string,
): Notice | undefined {
  const { state } = connection;
  const now = performance.now();
  const tryNow = () => connection.tryNow();
  if (state.kind !== 'ready' && state.kind !== 'ended' && !navigator.onLine)
    return { kind: 'warn', picture: 'offline', text: offline, lost: true };
  if (state.kind === 'connecting') {
    if (now - state.since < CONNECTING_MS) return undefined;
    return { kind: '', picture: 'retry', text: strings.text('conn.connecting') };
  }
  if (state.kind !== 'lost' || now - state.since < LOST_MS) return undefined;
  if (state.retryAt <= now)
    return { kind: 'warn', picture: 'retry', text: strings.text('conn.lost'), lost: true };
  const { picture, text } = causes[state.cause];
  // An immediate retry would add to the overload.
  const retry = state.cause === 'many' ? {} : { retry: tryNow };
  return { kind: 'warn', picture, text: strings.text(text), until: state.retryAt, ...retry, lost: true };
}
