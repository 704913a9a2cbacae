import type { ConnectionState } from '../connection-state.ts';
import type { Strings } from '../strings.ts';
import { Empty } from './empty.tsx';
import type { IconName } from './icon.tsx';

type EndedState = Extract<ConnectionState, { kind: 'ended' }>;

const pictures: Record<EndedState['reason'], IconName> = {
  unauthorized: 'exit',
  logout: 'exit',
  expired: 'clock',
  invalid: 'alert',
  user_changed: 'people',
  kicked: 'alert',
};

interface Props {
  readonly state: EndedState;
  /** How many messages of that user wait in this browser. */
  readonly kept: number;
  readonly loginUrl: string | null;
  readonly strings: Strings;
}

/** The card that replaces everything when the session is over, with the way to the login. */
export function EndedCard({ state, kept, loginUrl, strings }: Props) {
  const { reason, user } = state;
  const name = user?.name ?? '';
  const waiting = reason === 'expired' && kept > 0 && user !== undefined;
  const text = waiting
    ? strings.count('ended.kept', kept, { name })
    : strings.text(`ended.${keyOf(reason)}.text`, { name });
  const other = reason === 'user_changed';
  return (
    <section class="main">
      <Empty picture={pictures[reason]} title={endedTitle(state, strings)} text={text}>
        <button type="button" class="btn primary" onClick={() => leave(other ? null : loginUrl)}>
          {strings.text(other ? 'ended.continue' : 'ended.login')}
        </button>
      </Empty>
    </section>
  );
}

export function endedTitle({ reason, user }: EndedState, strings: Strings): string {
  return strings.text(`ended.${keyOf(reason)}.title`, { name: user?.name ?? '' });
}

/** A session that cannot be read is one to log in to again, for all the user can do about it. */
const keyOf = (reason: EndedState['reason']) => (reason === 'invalid' ? 'expired' : reason);

/** Only a page: a `login-url` of `javascript:` would be a way around the site's script policy. */
function leave(loginUrl: string | null): void {
  const url = loginUrl === null || loginUrl === '' ? undefined : new URL(loginUrl, document.baseURI);
  if (url !== undefined && /^https?:$/.test(url.protocol)) location.assign(url);
  else location.reload();
}
