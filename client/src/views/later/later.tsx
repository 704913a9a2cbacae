import { isBlank } from '../../../../server/text/blank.ts';
import type { EventPayload, Reminder, Scheduled } from '../../../../server/wire/events.ts';
import type { Follower } from '../../chat/chat-listener.ts';
import { newId } from '../../chat/outbox.ts';
import type { RequestOf } from '../../connection/connection.ts';
import { RequestError } from '../../connection/connection-state.ts';
import type { Room } from '../../store/room.ts';
import type { Strings } from '../../strings/strings.ts';
import { codePoints } from '../../text/paste.ts';
import { textOf, wordsOf } from '../../text/words.ts';
import type { Context, Draft } from '../context.ts';
import { Icon } from '../controls/icon.tsx';
import { menuTitle, openMenu } from '../controls/menu.tsx';
import { refusal } from '../refusal.ts';
import { nearWhen, presets, when } from './times.ts';

/** The time that the notice of a due reminder is shown, in milliseconds. */
const SHOWN_MS = 60_000;
/** Maximum characters of the message in that notice. */
const LONGEST = 80;

const laterByContext = new WeakMap<Context, Later>();

/** Returns the scheduled messages of an element; undefined before `startLater`. */
export const laterOf = (context: Context): Later | undefined => laterByContext.get(context);

export function startLater(context: Context): Later {
  const later = new Later(context);
  laterByContext.set(context, later);
  return later;
}

/** Schedules the text of a composer, and knows the user's scheduled messages and reminders. */
class Later implements Follower {
  readonly #context: Context;
  #list: readonly Scheduled[] = [];
  /** The `clientId` of messages whose scheduling was not confirmed, by their content. */
  readonly #unanswered = new Map<string, string>();
  /** The IDs of due reminders that were announced here, with their times, since a reminder can be set again. */
  readonly #announced = new Set<string>();
  /** A change arrived while the list was loading. */
  #outdated = false;

  constructor(context: Context) {
    this.#context = context;
    if (context.chat.connection.state.kind === 'ready') this.ready();
  }

  ready(): void {
    const { chat, changed } = this.#context;
    if (chat.isGuest) return;
    this.#outdated = true;
    void chat.tasks.once('scheduled messages', async (current) => {
      while (this.#outdated) {
        this.#outdated = false;
        const { scheduled } = await chat.request('scheduled:list', {});
        const { reminders } = await chat.request('reminder:list', {});
        if (!current()) return;
        this.#list = scheduled;
        this.#announce(reminders);
        changed();
      }
    });
  }

  scheduled({ is }: EventPayload<'scheduled:changed'>): void {
    const { strings, toast, dialog } = this.#context;
    this.ready();
    if (is === 'failed')
      toast(strings.text('later.failed'), 'bad', {
        label: 'common.show',
        run: () => dialog({ kind: 'scheduled' }),
      });
  }

  reminded({ is }: EventPayload<'reminder:changed'>): void {
    if (is === 'due') this.ready();
  }

  /** Shows reminders that are due. Showing the message deletes its reminder. */
  #announce(reminders: readonly Reminder[]): void {
    const { chat, strings, toast, dialog, jump } = this.#context;
    const due = reminders.filter((one) => one.due && one.message !== undefined);
    const isNew = ({ id, at }: Reminder) => !this.#announced.has(`${id} ${at}`);
    const reminder = due.findLast(isNew);
    if (reminder?.message === undefined) return;
    for (const { id, at } of due) this.#announced.add(`${id} ${at}`);
    const { id, room, seq, message } = reminder;
    const text = [...wordsOf(textOf(message, strings), message.files, strings)].slice(0, LONGEST).join('');
    toast(strings.text('remind.due', { text }), 'good', {
      label: 'common.show',
      until: performance.now() + SHOWN_MS,
      run: () => {
        if (due.length > 1) return dialog({ kind: 'scheduled' });
        jump({ room, seq });
        // If it fails, the reminder stays in the list.
        chat.request('reminder:delete', { id }).catch(() => {});
      },
    });
  }

  /** The room may have been deleted, with its scheduled messages. */
  removed(): void {
    this.ready();
  }

  /** Forgets the messages when the session ends. */
  silent(): void {
    if (this.#context.chat.me !== undefined) return;
    this.#list = [];
    this.#announced.clear();
    this.#unanswered.clear();
  }

  /** The line above the field of a room with scheduled messages. */
  line(room: Room) {
    const { strings, dialog } = this.#context;
    const own = this.#list.filter((one) => one.room === room.id);
    if (own.length === 0) return null;
    return (
      <div class="context" key="later">
        <Icon name="clock" size="s" />
        <div>
          {strings.text('later.list')} · {strings.number(own.length)}
        </div>
        <button type="button" class="link" onClick={() => dialog({ kind: 'scheduled' })}>
          {strings.text('common.show')}
        </button>
      </div>
    );
  }

  /**
   * The button before the send button, if there is a text to send. A right-click or a long press on the send button
   * opens the same menu.
   */
  button(draft: Draft) {
    const { chat, strings, tray } = this.#context;
    const { edit, text } = draft;
    const files = tray(draft);
    // The server must have the files, because this tab may close.
    const hasContent = files?.full ? files.stored : !isBlank(text);
    const isSendable = hasContent && codePoints(text) <= chat.limits.text;
    if (chat.isGuest || edit !== undefined || !isSendable) return null;
    return (
      <button
        key="later"
        type="button"
        class="icon later"
        aria-label={strings.text('later.title')}
        aria-haspopup="menu"
        aria-expanded="false"
        ref={(button) => {
          const send = button?.parentElement?.querySelector('.send');
          if (!button || !(send instanceof HTMLElement)) return;
          send.oncontextmenu = (event) => {
            if (!button.isConnected) return;
            event.preventDefault();
            button.click();
          };
        }}
        onClick={({ currentTarget }) => this.#menu(draft, currentTarget)}
      >
        <Icon name="clock" />
      </button>
    );
  }

  #menu(draft: Draft, opener: HTMLElement): void {
    const { chat, strings, dialog, toast } = this.#context;
    const label = strings.text('later.title');
    const schedule = (at: number) => this.#schedule(draft, at);
    const { important } = draft.content();
    openMenu(this.#context, opener, {
      label,
      about: menuTitle(label),
      items: [
        {
          picture: 'important' as const,
          label: strings.text(important ? 'important.unmark' : 'important.mark'),
          run: () => draft.change({ important: !important }),
        },
        ...presets(chat.clock.now).map((at, n) => ({
          picture: 'clock' as const,
          apart: n === 0,
          label: nearWhen(at, chat.clock.now, strings),
          run: () => void schedule(at).catch((error) => toast(laterRefusal(error, strings), 'bad')),
        })),
        {
          picture: 'edit',
          label: strings.text('later.choose'),
          run: () => dialog({ kind: 'later', title: label, schedule }),
        },
        {
          picture: 'list',
          label: strings.text('later.list'),
          apart: true,
          run: () => dialog({ kind: 'scheduled' }),
        },
      ],
    });
  }

  /** Schedules the draft, and clears its field. */
  async #schedule(draft: Draft, at: number): Promise<void> {
    const { chat, strings, toast } = this.#context;
    const tray = this.#context.tray(draft);
    const content = { ...draft.content(), room: draft.room.id };
    // If the answer is lost, the server may have the message. Another attempt with the same ID then finds it.
    const key = JSON.stringify(content);
    const earlier = this.#unanswered.get(key);
    const clientId = earlier ?? newId();
    this.#unanswered.set(key, clientId);
    const request = { ...content, at, clientId } as object as RequestOf<'scheduled:add'>;
    const answer = await chat.request('scheduled:add', request);
    // It may have the time of the first attempt.
    if (earlier !== undefined && 'scheduled' in answer && answer.scheduled.at !== at)
      await chat.request('scheduled:edit', { id: answer.scheduled.id, at });
    this.#unanswered.delete(key);
    tray?.take(content);
    draft.sent();
    toast(strings.text('later.done', { when: when(at, strings) }), 'good');
  }
}

/** Returns the text that explains why a message could not be scheduled, changed or sent. */
export function laterRefusal(error: unknown, strings: Strings): string {
  const code = error instanceof RequestError ? error.code : undefined;
  if (code === 'limit_reached') return strings.text('later.full');
  if (code === 'muted') return strings.text('composer.mutedForGood');
  return refusal(error, strings);
}
