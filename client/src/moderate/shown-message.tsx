import { hue } from '../../../server/wire/avatar.ts';
import type { Message, User } from '../../../server/wire/events.ts';
import { ERASED } from '../store/user-ids.ts';
import { wordsOf } from '../text/words.ts';
import { Icon } from '../views/controls/icon.tsx';
import { addressOf } from '../views/files/address.ts';
import { Picture } from '../views/files/picture.tsx';
import { Described, Grid, SEEN } from '../views/files/shown-files.tsx';
import { formatted } from '../views/messages/formatted.tsx';
import { ImportantMark } from '../views/messages/important-mark.tsx';
import { PageCard } from '../views/messages/page-card.tsx';
import { Avatar } from '../views/people/avatar.tsx';
import type { DeskContext } from './desk-context.ts';
import { LateCard } from './late-card.tsx';
import { roomName } from './mod-words.ts';
import type { Subject } from './queue.ts';

/** The maximum number of DOM nodes for a text. */
const NODES = 1000;

type Said = Omit<Subject, 'seq'>;

interface Props {
  readonly context: DeskContext;
  readonly said: Said;
  /** The message to decide on, which may be pending approval, or a message around it. */
  readonly kind: 'target' | 'target wait' | 'ctx';
  /** The room to show, if the messages are from several rooms and days. */
  readonly room?: string;
}

export const saidIn = (message: Message): Said => ({ ...message, at: message.sentAt, message });

/** A message with its author, without actions. */
export function ShownMessage({ context, said, kind, room }: Props) {
  const { strings } = context;
  const { user, at, message, threadOnly } = said;
  // Only the pending message has no ID, and there is at most one.
  const contentId = `content-${message?.id ?? 'waiting'}`;
  const gone = message?.deletedAt !== undefined;
  return (
    <div class={`group ${kind} ${user.id === ERASED ? '' : hue(user.id)}`.trim()}>
      <Avatar user={user} />
      <div class="stack">
        <By context={context} user={user} at={at} room={room} threadOnly={threadOnly} />
        <article
          class={gone ? `msg gone ${kind}` : `msg ${kind}`}
          tabIndex={-1}
          aria-label={strings.text('msg.name', {
            name: strings.name(user),
            time: strings.time(at),
          })}
          aria-describedby={contentId}
        >
          <div class="bubble" id={contentId}>
            {gone ? <p class="text">{lineOf(said, context)}</p> : <Content context={context} said={said} />}
          </div>
        </article>
      </div>
    </div>
  );
}

/** Returns a message as one line of text. */
export function lineOf({ text, files, message }: Said, { strings }: Pick<DeskContext, 'strings'>): string {
  if (message?.deletedAt !== undefined)
    return strings.text(message.deletedBy === 'moderator' ? 'msg.deletedByModerator' : 'msg.deleted');
  return wordsOf(text, files, strings);
}

interface ByProps {
  readonly context: DeskContext;
  readonly user: User;
  readonly at: number;
  readonly room: string | undefined;
  /** Whether the message is a reply that the room does not show. */
  readonly threadOnly: true | undefined;
}

function By({ context, user, at, room, threadOnly }: ByProps) {
  const { strings } = context;
  return (
    <div class="by">
      <bdi>{strings.name(user)}</bdi>
      <time dateTime={new Date(at).toISOString()} title={strings.fullTime(at)}>
        {room === undefined ? (
          strings.time(at)
        ) : (
          <>
            <bdi>{roomName(room, context)}</bdi> · {strings.onDay(strings.dayWithin(at), at)}
          </>
        )}
      </time>
      {threadOnly && (
        <small class="thread-only">
          <Icon name="talk" size="s" />
          {strings.text('mod.threadOnly')}
        </small>
      )}
    </div>
  );
}

function Content({ context, said }: Pick<Props, 'context' | 'said'>) {
  const { room, text, files = [], preview, card, held, message, important } = said;
  const { chat } = context;
  const { options = [], event } = message?.poll ?? {};
  const pictures = files.filter(({ image }) => image !== undefined);
  return (
    <>
      {important && <ImportantMark strings={context.strings} />}
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
              open={() => open(addressOf(chat, file), '_blank', 'noopener')}
            />
          )}
        />
      )}
      {files
        .filter(({ image }) => image === undefined)
        .map((file) => (
          <a class="doc" key={file.id} href={addressOf(chat, file)} download={file.name}>
            <Described file={file} context={context} />
          </a>
        ))}
      {/* Mentions are plain text, because moderators see what was typed. */}
      {/* If the text only repeats the reference of the card, it is for clients without cards. */}
      {text !== '' && text !== card && formatted(text, NODES, undefined)}
      {[...options, event?.place ?? ''].map((option) => option !== '' && <p key={option}>{option}</p>)}
      {preview?.title !== undefined && (
        <div class="page-card">
          <PageCard context={context} preview={preview} />
        </div>
      )}
      {card !== undefined && (
        <LateCard key={`${held} ${card}`} context={context} room={room} about={card} held={held} />
      )}
    </>
  );
}
