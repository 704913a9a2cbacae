import { Component } from 'preact';
import { hue } from '../../../../server/wire/avatar.ts';
import type { User } from '../../../../server/wire/events.ts';
import { ERASED } from '../../store/user-ids.ts';
import type { Strings } from '../../strings/strings.ts';
import { Avatar } from '../people/avatar.tsx';
import { Message, type MessageProps } from './message.tsx';

interface Props {
  /** Whether the author's name and picture are shown. */
  readonly named: boolean;
  readonly compact: boolean;
  /** At least one. */
  readonly messages: readonly MessageProps[];
}

/**
 * Consecutive messages of one author, under the name. Renders again only if something in it changed, because each step
 * of scrolling renders a list with up to 200 messages.
 */
export class Group extends Component<Props> {
  override shouldComponentUpdate({ named, compact, messages }: Props): boolean {
    const before = this.props;
    return (
      named !== before.named ||
      compact !== before.compact ||
      messages.length !== before.messages.length ||
      messages.some((message, at) => isChanged(message, before.messages[at]))
    );
  }

  override render() {
    const { named, compact, messages } = this.props;
    const [first] = messages;
    if (first === undefined) return undefined;
    const { own } = first;
    const { user, sentAt } = first.entry;
    const { strings } = first.context;
    return (
      <div class={own ? 'group own' : `group ${user.id === ERASED ? '' : hue(user.id)}`.trim()}>
        {named && <Avatar user={user} />}
        <div class="stack">
          <div class="by" key="by">
            {named || (compact && !own)
              ? nameOf(user, strings)
              : compact && <bdi>{strings.text('msg.you')}</bdi>}
            <time dateTime={new Date(sentAt).toISOString()} title={strings.fullTime(sentAt)}>
              {strings.time(sentAt)}
            </time>
          </div>
          {messages.map((message) => (
            <Message key={message.entry.key} {...message} />
          ))}
        </div>
      </div>
    );
  }
}

/** A click opens the user's card. `listenToPeople` handles it, because its code loads later. */
function nameOf(user: User, strings: Strings) {
  const name = <bdi>{strings.name(user)}</bdi>;
  if (user.id === ERASED) return name;
  return (
    <button type="button" class="by-name" tabIndex={-1} aria-haspopup="dialog" aria-expanded="false">
      {name}
    </button>
  );
}

function isChanged(next: MessageProps, before: MessageProps | undefined): boolean {
  const names = Object.keys(next) as (keyof MessageProps)[];
  return (
    next.drawn.get(next.entry.key)?.stale === true || names.some((name) => next[name] !== before?.[name])
  );
}
